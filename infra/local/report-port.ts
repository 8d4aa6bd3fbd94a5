import { subscribe } from 'node:diagnostics_channel';
import type { AddressInfo, Server } from 'node:net';

/*
 * Preloaded into each local function: reports the port of its server to the parent, and ends with the parent. The framework
 * does neither, and a port that is chosen in advance can be taken by another process before it is used.
 */

subscribe('tracing:net.server.listen:asyncEnd', (message) => {
  const { port } = (message as { readonly server: Server }).server.address() as AddressInfo;
  process.send?.({ port });
});

process.once('disconnect', () => process.exit());
