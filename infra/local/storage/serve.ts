import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';

import type { SimulatedStorage } from './storage.ts';

export interface StorageServer {
  /** For STORAGE_EMULATOR_HOST: `http://127.0.0.1:PORT` */
  readonly url: string;
  /** Breaks every connection and stops listening. */
  close(): Promise<void>;
}

/** Serves simulated buckets over HTTP on the loopback interface, on a free port. */
export async function serveStorage(storage: SimulatedStorage): Promise<StorageServer> {
  const server = createServer((incoming, outgoing) => answer(storage, incoming, outgoing));
  await new Promise<void>((resolve, reject) => {
    server.once('error', reject);
    server.listen(0, '127.0.0.1', resolve);
  });
  return {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    close: () =>
      new Promise((resolve) => {
        server.close(() => resolve());
        server.closeAllConnections();
      }),
  };
}

/** No request has a body that matters: a rewrite's options are in its query. */
function answer(storage: SimulatedStorage, incoming: IncomingMessage, outgoing: ServerResponse): void {
  incoming.resume();
  const { range } = incoming.headers;
  const result = storage.handle({
    method: incoming.method ?? 'GET',
    path: incoming.url ?? '/',
    headers: range === undefined ? {} : { range },
    body: new Uint8Array(),
  });
  if (result === 'SILENCE') {
    return;
  }
  if (result === 'RESET') {
    incoming.socket.resetAndDestroy();
    return;
  }
  outgoing.writeHead(result.status, { ...result.headers, 'content-length': result.body.length });
  outgoing.end(result.body);
}
