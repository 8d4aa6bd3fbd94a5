import { subscribe } from 'node:diagnostics_channel';
import type { AddressInfo, Server } from 'node:net';

/*
 * Preloaded into each local function: tells the parent which port its server got, and ends with the parent. The framework
 * does neither, and a port that is chosen beforehand may be somebody else's by the time it is used.
 */

subscribe('tracing:net.server.listen:asyncEnd', (message) => {
  const { port } = (message as { readonly server: Server }).server.address() as AddressInfo;
  process.send?.({ port });
});

process.once('disconnect', () => process.exit());
