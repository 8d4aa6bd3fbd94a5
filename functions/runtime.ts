import { randomUUID } from 'node:crypto';

import { systemClock } from '../shared/clock.ts';
import { type Config, hideErrorsFromAnswers, readConfig } from '../shared/config.ts';
import { createLog, type Log } from '../shared/log.ts';
import type { Publisher } from '../shared/publisher.ts';
import type { Services } from '../shared/services.ts';
import type { CloudStorage } from '../shared/storage/api.ts';
import type { Store } from '../shared/store/store.ts';
import { createGate, type Gate } from '../shared/submission/gate.ts';
import { createQuotaWatch } from '../shared/submission/quota-watch.ts';
import { policyOf } from '../shared/record/policy.ts';
import { type Drain, installDrain } from './drain.ts';

/** The parts of a function instance. They are created once: when its module loads, or with the first request. */

export interface Runtime {
  readonly services: Services;
  readonly gate: Gate;
}

export const log: Log = createLog(
  (line) => void process.stdout.write(`${line}\n`),
  () => systemClock.now(),
);

hideErrorsFromAnswers();
export const config: Config = readConfigOrExit();
let runtime: Promise<Runtime> | undefined;
let store: Promise<Store> | undefined;
let storage: Promise<CloudStorage> | undefined;
export const drain: Drain = installDrain(closeRuntime);

/** The clients load with the first request, after the instance listens: together they take a quarter of a second. */
export function loadRuntime(): Promise<Runtime> {
  runtime ??= createRuntime().catch((error: unknown) => {
    runtime = undefined;
    throw error;
  });
  return runtime;
}

/** The store alone, for a function that calls nothing else. */
export function loadStore(): Promise<Store> {
  store ??= import('../shared/store/firestore.ts').then(({ createFirestoreStore }) =>
    createFirestoreStore({
      projectId: config.googleCloudProject,
      databaseId: config.firestoreDatabase,
      emulatorHost: config.firestoreEmulatorHost,
    }),
  );
  return store;
}

async function createRuntime(): Promise<Runtime> {
  const [store, { createEarthEngine }, { applicationDefaultCredentials }] = await Promise.all([
    loadStore(),
    import('../shared/earth-engine/client.ts'),
    import('../shared/earth-engine/credentials.ts'),
  ]);
  const clock = systemClock;
  const publisher = lazyPublisher();
  const earthEngine = createEarthEngine({
    url: config.earthEngineUrl,
    auth: config.earthEngineCredentials
      ? applicationDefaultCredentials(config.googleCloudProject, { drive: config.allowsDrive })
      : undefined,
    observer: createQuotaWatch({ store, clock, log, config, publisher }),
  });
  const storage = config.verifyDelivery ? loadStorage : undefined;
  const services: Services = {
    config,
    policy: policyOf(config),
    store,
    earthEngine,
    publisher,
    storage,
    clock,
    random: Math.random,
    newToken: randomUUID,
    log,
    stopping: drain.stopping,
  };
  return { services, gate: createGate(services) };
}

/** Loads Pub/Sub's client with the first message to publish: a poll that finds no change publishes none. */
function lazyPublisher(): Publisher {
  let publisher: Promise<Publisher> | undefined;
  const load = async (): Promise<Publisher> => {
    const { createPublisher } = await import('../shared/pubsub/publisher.ts');
    return createPublisher({
      projectId: config.googleCloudProject,
      emulatorHost: config.pubsubEmulatorHost,
      clock: systemClock,
    });
  };
  return {
    publish: async (topic, messages, timeoutMs) => {
      publisher ??= load();
      return (await publisher).publish(topic, messages, timeoutMs);
    },
    close: async () => (await publisher)?.close(),
  };
}

/** Loads Cloud Storage's client with the first video to look for. */
export function loadStorage(): Promise<CloudStorage> {
  storage ??= import('../shared/storage/client.ts').then(({ createCloudStorage }) =>
    createCloudStorage({
      projectId: config.googleCloudProject,
      emulatorHost: config.storageEmulatorHost,
    }),
  );
  return storage;
}

async function closeRuntime(): Promise<void> {
  const { services } = (await runtime) ?? {};
  await services?.publisher.close();
  await (await store)?.close();
}

/** A wrong setting must end the process, with a log line that names it: every message would be handled wrongly. */
function readConfigOrExit(): Config {
  try {
    return readConfig();
  } catch (error) {
    log.error('config.invalid', error);
    process.exit(1);
  }
}
