import { once } from 'node:events';
import { createServer, type AddressInfo } from 'node:net';

import { targetNames, type Target } from '../targets.ts';

/** Where `npm start` listens, so that addresses stay the same from one start to the next. */
const usualPorts = {
  showExports: 8480,
  firestore: 8481,
  pubsub: 8482,
  earthEngine: 8483,
  submitExport: 8484,
  pollExports: 8485,
  expandBatch: 8486,
  cancelExports: 8487,
  recordDeadLetter: 8488,
} as const satisfies Record<'firestore' | 'pubsub' | 'earthEngine' | Target, number>;

export type Ports = Readonly<Record<keyof typeof usualPorts, number>>;

const names: readonly (keyof Ports)[] = ['firestore', 'pubsub', 'earthEngine', ...targetNames];

/** The usual ports, or a free one where another program has the usual one. */
export async function choosePorts(usual: Ports = usualPorts): Promise<{
  readonly ports: Ports;
  /** The usual ports that are taken. */
  readonly taken: readonly number[];
}> {
  const chosen = await Promise.all(
    names.map(async (name) => [name, (await isFree(usual[name])) ? usual[name] : await freePort()] as const),
  );
  return {
    ports: Object.fromEntries(chosen) as Ports,
    taken: chosen.flatMap(([name, port]) => (port === usual[name] ? [] : [usual[name]])),
  };
}

async function isFree(port: number): Promise<boolean> {
  try {
    await listenOnce(port);
    return true;
  } catch {
    return false;
  }
}

export const freePort = (): Promise<number> => listenOnce(0);

async function listenOnce(wanted: number): Promise<number> {
  const server = createServer().listen(wanted, '127.0.0.1');
  await once(server, 'listening');
  const { port } = server.address() as AddressInfo;
  server.close();
  await once(server, 'close');
  return port;
}
