import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';

import type { Simulator } from './api.ts';
import type { SimulatorRequest } from './request.ts';

export interface SimulatorServer {
  readonly port: number;
  /** `http://127.0.0.1:PORT` */
  readonly url: string;
  /** Breaks every connection and stops listening. */
  close(): Promise<void>;
}

/** Serves the simulator over HTTP on the loopback interface; by default, on a free port. */
export async function serveSimulator(
  simulator: Simulator,
  { port = 0 }: { readonly port?: number } = {},
): Promise<SimulatorServer> {
  const server = createServer((incoming, outgoing) => {
    answer(simulator, incoming, outgoing).catch((error: unknown) => {
      // A bug in the simulator is not a simulated fault, and must be visible.
      console.error(error);
      outgoing.destroy();
    });
  });
  server.keepAliveTimeout = 60_000;
  await new Promise<void>((resolve, reject) => {
    server.once('error', reject);
    server.listen(port, '127.0.0.1', resolve);
  });
  const address = server.address() as AddressInfo;
  return {
    port: address.port,
    url: `http://127.0.0.1:${address.port}`,
    close: () =>
      new Promise((resolve) => {
        server.close(() => resolve());
        server.closeAllConnections();
      }),
  };
}

async function answer(
  simulator: Simulator,
  incoming: IncomingMessage,
  outgoing: ServerResponse,
): Promise<void> {
  const chunks: Buffer[] = [];
  try {
    for await (const chunk of incoming) {
      chunks.push(chunk as Buffer);
    }
  } catch {
    // The caller gave up while sending: Earth Engine would never receive the request.
    return;
  }
  const result = await simulator.handle({
    method: incoming.method ?? 'GET',
    path: incoming.url ?? '/',
    headers: flatten(incoming.headers),
    body: Buffer.concat(chunks),
  });
  if (result === 'SILENCE') {
    return;
  }
  if (typeof result === 'string') {
    incoming.socket.resetAndDestroy();
    return;
  }
  outgoing.writeHead(result.status, { ...result.headers, 'content-length': Buffer.byteLength(result.body) });
  outgoing.end(result.body);
}

function flatten(headers: IncomingMessage['headers']): Record<string, string> {
  return Object.fromEntries(
    Object.entries(headers).map(([name, value]) => [
      name,
      Array.isArray(value) ? value.join(', ') : (value ?? ''),
    ]),
  );
}

/** The simulator as a `fetch` without sockets: the promise behaves as a network connection would. */
export function simulatorFetch(simulator: Simulator): (url: string, init?: RequestInit) => Promise<Response> {
  return async (url, init = {}) => {
    const { signal } = init;
    signal?.throwIfAborted();
    const result = await raceAbort(simulator.handle(await readFetch(url, init)), signal);
    if (result === 'SILENCE') {
      return raceAbort(new Promise<never>(() => {}), signal);
    }
    if (result === 'RESET') {
      throw connectionError('other side closed', 'UND_ERR_SOCKET');
    }
    if (result === 'UNREACHABLE') {
      throw connectionError('connect ECONNREFUSED 127.0.0.1', 'ECONNREFUSED');
    }
    return new Response(result.body, { status: result.status, headers: result.headers });
  };
}

async function readFetch(url: string, init: RequestInit): Promise<SimulatorRequest> {
  const { pathname, search } = new URL(url);
  const { body: sent = null } = init;
  // The service sends bytes, and tests make hundreds of thousands of calls.
  const body = sent instanceof Uint8Array ? sent : new Uint8Array(await new Response(sent).arrayBuffer());
  return {
    method: init.method ?? 'GET',
    path: pathname + search,
    headers: Object.fromEntries(new Headers(init.headers)),
    body,
  };
}

function raceAbort<T>(promise: Promise<T>, signal: AbortSignal | null | undefined): Promise<T> {
  if (!signal) {
    return promise;
  }
  const aborted = Promise.withResolvers<never>();
  const abort = () => aborted.reject(signal.reason as Error);
  signal.addEventListener('abort', abort, { once: true });
  return Promise.race([promise, aborted.promise]).finally(() => signal.removeEventListener('abort', abort));
}

/** The error with which Node's fetch reports a broken connection. */
function connectionError(message: string, code: string): TypeError {
  return new TypeError('fetch failed', { cause: Object.assign(new Error(message), { code }) });
}
