import { randomUUID } from 'node:crypto';
import { createServer } from 'node:http';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';

import { expandBatch } from '../../../shared/batch/expand-batch.ts';
import { cancelExports } from '../../../shared/cancellation/cancel-exports.ts';
import { SECOND_MS, systemClock } from '../../../shared/clock.ts';
import { type Config, readConfig, type Topics } from '../../../shared/config.ts';
import { recordDeadLetter } from '../../../shared/dead-letters/record-dead-letter.ts';
import { keptSubscription } from '../../../shared/dead-letters/replay.ts';
import { createLog, type Log } from '../../../shared/log.ts';
import type { Envelope } from '../../../shared/message/envelope.ts';
import { pollExports } from '../../../shared/polling/poll.ts';
import { pollProject } from '../../../shared/polling/poll-project.ts';
import { storeSettings } from '../../../shared/service-settings.ts';
import { submit } from '../../../shared/submission/submit.ts';
import { buildLocalPage } from '../../build.ts';
import { buildFolder } from '../function-process.ts';
import type { Ports } from '../ports.ts';
import { serveSimulator, type Simulator, type SimulatorSettings } from '../simulator/index.ts';
import { localProject, localSettings } from '../stack.ts';
import { serveStorage } from '../storage/serve.ts';
import { createEmbeddedApi, createKept, serveEmbeddedApi } from './api.ts';
import { type Broker, createBroker } from './broker.ts';
import { createInProcess, type InProcess } from './in-process.ts';
import type { createLocalPage as createPage } from './page.ts';

/**
 * The whole service in this process, without Google's emulators: for a machine that has only Node. The command line reaches its
 * records and topics at one address (cli/service/embedded.ts), and its simulators as it reaches those of the stack.
 */
export interface Embedded {
  readonly config: Config;
  /** What the command line needs to use it. */
  readonly environment: Readonly<Record<string, string>>;
  readonly simulator: Simulator;
  readonly broker: Broker;
  /** Where the page is. */
  readonly pageUrl: string;
  stop(): Promise<void>;
}

export interface EmbeddedOptions {
  readonly settings?: Readonly<Record<string, string>>;
  readonly simulator?: Partial<SimulatorSettings>;
  /** Default: free ones. */
  readonly ports?: Pick<Ports, 'firestore' | 'earthEngine' | 'showExports'>;
  readonly pollEveryMs?: number;
  /** Receives each log line. */
  readonly onLine?: (line: string) => void;
  /** Receives each event of the service. */
  readonly onEvent?: (attributes: Envelope['attributes']) => void;
}

export async function startEmbedded({
  settings = {},
  simulator: simulatorSettings = {},
  ports = { firestore: 0, earthEngine: 0, showExports: 0 },
  pollEveryMs = SECOND_MS,
  onLine = () => {},
  onEvent = () => {},
}: EmbeddedOptions = {}): Promise<Embedded> {
  await using started = new AsyncDisposableStack();
  const stopping = new AbortController();
  const { signal } = stopping;
  const clock = systemClock;
  const log = createLog(onLine, () => clock.now());
  // The service reaches its simulators without sockets; the addresses only say that there are some.
  const config = readConfig({
    ...localSettings,
    ...settings,
    GOOGLE_CLOUD_PROJECT: localProject,
    EARTHENGINE_EMULATOR_HOST: 'localhost:1',
    STORAGE_EMULATOR_HOST: 'http://localhost:1',
  });
  const broker = createBroker(Object.values(config.topics), { clock, stopping: signal });
  const parts = createInProcess({
    config,
    clock,
    log,
    publisher: broker,
    stopping: signal,
    random: Math.random,
    newToken: randomUUID,
    simulator: simulatorSettings,
    deliveries: [],
  });
  const { services, simulator, buckets } = parts;
  const kept = createKept();
  subscribe(
    broker,
    parts,
    (message) => kept.add(message),
    ({ attributes }) => onEvent(attributes),
  );

  const [api, earthEngine, storage] = await Promise.all([
    serveEmbeddedApi(createEmbeddedApi(services.store, broker, kept), ports.firestore),
    serveSimulator(simulator, { port: ports.earthEngine }),
    serveStorage(buckets),
  ]);
  const environment = {
    GOOGLE_CLOUD_PROJECT: localProject,
    FIRESTORE_EMULATOR_HOST: api.host,
    PUBSUB_EMULATOR_HOST: api.host,
    EARTHENGINE_EMULATOR_HOST: `127.0.0.1:${earthEngine.port}`,
    STORAGE_EMULATOR_HOST: storage.url,
  };
  for (const server of [api, earthEngine, storage]) {
    started.defer(() => server.close());
  }
  const page = await servePage(
    parts,
    readConfig({ ...localSettings, ...settings, ...environment }),
    log,
    ports.showExports,
  );
  started.defer(() => page.close());

  const polling = keepPolling(parts, pollEveryMs);
  started.defer(async () => {
    stopping.abort();
    await Promise.all([polling, broker.stop()]);
  });
  const moved = started.move();
  return { config, environment, simulator, broker, pageUrl: page.url, stop: () => moved.disposeAsync() };
}

/** The subscriptions of the module, as `connect` in stack.ts makes them for the emulator. */
function subscribe(
  broker: Broker,
  { services, gate }: InProcess,
  keep: (message: Envelope) => void,
  onEvent: (message: Envelope) => void,
): void {
  const { topics } = services.config;
  const handlers: readonly (readonly [keyof Topics, (message: Envelope) => Promise<unknown>])[] = [
    ['jobs', (message) => submit(services, gate, message)],
    ['batches', (message) => expandBatch(services, message)],
    ['cancellations', (message) => cancelExports(services, message)],
    ['polls', (message) => pollProject(services, gate, message)],
    ['deadLetters', (message) => recordDeadLetter(services, message)],
  ];
  for (const [name, handle] of handlers) {
    broker.subscribe({
      name: `${topics[name]}-push`,
      topic: topics[name],
      ...(name !== 'deadLetters' && { deadLetters: topics.deadLetters }),
      handle: async (message) => {
        try {
          await handle(message);
        } catch (error) {
          services.log.error('message.failed', error, { messageId: message.messageId });
          throw error;
        }
      },
    });
  }
  broker.subscribe({
    name: keptSubscription(topics),
    topic: topics.deadLetters,
    handle: async (message) => keep(message),
  });
  broker.subscribe({
    name: `${topics.events}-local`,
    topic: topics.events,
    handle: async (message) => onEvent(message),
  });
}

async function keepPolling({ services, gate }: InProcess, everyMs: number): Promise<void> {
  const { clock, stopping, log } = services;
  await storeSettings(services);
  while (!stopping.aborted) {
    try {
      await clock.sleep(everyMs, stopping);
      await pollExports(services, gate);
    } catch (error) {
      if (!stopping.aborted) {
        log.error('poll.failed', error);
      }
    }
  }
}

async function servePage(
  { services }: InProcess,
  config: Config,
  log: Log,
  port: number,
): Promise<{ readonly url: string; close(): Promise<void> }> {
  const file = pathToFileURL(join(buildFolder, 'local', 'page.js')).href;
  await buildLocalPage(buildFolder);
  const { createLocalPage } = (await import(file)) as { readonly createLocalPage: typeof createPage };
  const { store, clock, stopping } = services;
  const page = createLocalPage({ store, config, clock, log, stopping });
  const server = createServer((request, response) => void page.handle(request, response));
  await new Promise<void>((resolve, reject) => {
    server.once('error', reject);
    server.listen(port, '127.0.0.1', resolve);
  });
  const address = server.address();
  return {
    url: `http://127.0.0.1:${typeof address === 'object' && address ? address.port : port}`,
    close: () =>
      new Promise((resolve) => {
        page.close();
        server.close(() => resolve());
        server.closeAllConnections();
      }),
  };
}
