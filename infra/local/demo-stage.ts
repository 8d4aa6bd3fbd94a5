import { randomUUID } from 'node:crypto';

import { type Clock, systemClock } from '../../shared/clock.ts';
import { type Config, readConfig } from '../../shared/config.ts';
import { asError } from '../../shared/errors.ts';
import { silentLog } from '../../shared/log.ts';
import { parseEnvelope } from '../../shared/message/envelope.ts';
import type { Services } from '../../shared/services.ts';
import { createFirestoreStore } from '../../shared/store/firestore.ts';
import { videoFolder } from './demo-videos.ts';
import { LocalError } from './local-error.ts';
import type { CloudStorage } from '../../shared/storage/api.ts';
import { createCloudStorage } from '../../shared/storage/client.ts';
import type { Store } from '../../shared/store/store.ts';
import { pollExports } from '../../shared/polling/poll.ts';
import { submit } from '../../shared/submission/submit.ts';
import { buildMain } from '../build.ts';
import { buildFolder } from './function-process.ts';
import { createInProcess } from './embedded/in-process.ts';
import type { Simulator, SimulatorSettings } from './simulator/index.ts';
import type { DeliveryRule } from './storage/deliver.ts';
import { localProject, localSettings, startStack } from './stack.ts';

/** What the demo runs on: the local stack, or the service in one process. */
export interface Stage {
  /** What is real here and what is not. */
  readonly description: string;
  readonly config: Config;
  readonly clock: Clock;
  readonly store: Store;
  readonly simulator: Simulator;
  cloudStorage(): Promise<CloudStorage>;
  /** Where the videos are saved. */
  readonly videoFolder: string;
  /** Publishes to the job topic. */
  publish(data: string): Promise<void>;
  stop(): Promise<void>;
}

/** Short renders, two at once: one job is seen waiting in Earth Engine's queue. */
const simulatorSettings: Partial<SimulatorSettings> = {
  pendingMs: 500,
  startsPerSecond: 2,
  concurrency: 2,
  runMs: [2000, 3000],
};
/** Both forms of name are seen. */
const deliveries: readonly DeliveryRule[] = [{ pattern: 'florence', name: 'plain' }];
export const POLL_EVERY_MS = 500;

type OnProblem = (problem: Error) => void;

/** @throws EmulatorsUnavailableError if Google's emulators are neither running nor installed */
export async function stackStage(onProblem: OnProblem): Promise<Stage> {
  await buildMain(buildFolder);
  // A new project each time: emulators that are already running may hold the records of an earlier demo.
  const project = `${localProject}-${randomUUID().slice(0, 8)}`;
  const stack = await startStack({
    project,
    simulator: simulatorSettings,
    deliveries,
    pollEveryMs: POLL_EVERY_MS,
    onProblem,
  });
  const { config, emulators, pubsub, simulator } = stack;
  // Google's clients read these variables, and look for credentials without them.
  Object.assign(process.env, stack.environment);
  const store = createFirestoreStore({
    projectId: project,
    databaseId: config.firestoreDatabase,
    emulatorHost: emulators.firestoreHost,
  });
  return {
    description: `Google's emulators (Firestore ${emulators.firestoreHost}, Pub/Sub ${emulators.pubsubHost}), the built functions as six processes, and a simulated Earth Engine.`,
    config,
    clock: systemClock,
    store,
    simulator,
    cloudStorage: async () =>
      createCloudStorage({ projectId: project, emulatorHost: config.storageEmulatorHost }),
    videoFolder,
    async publish(data) {
      await pubsub.publish(config.topics.jobs, data);
    },
    async stop() {
      await store.close();
      await stack.stop();
    },
  };
}

/** The service's own handlers in this process, without emulators. */
export interface Embedded {
  readonly config: Config;
  readonly store: Store;
  readonly simulator: Simulator;
  cloudStorage(): Promise<CloudStorage>;
  /** What Pub/Sub would do with a published message. */
  deliver(messageId: string, data: string): Promise<void>;
  /** One run of pollExports. */
  poll(): Promise<void>;
}

export function createEmbedded({
  clock,
  stopping,
  random = Math.random,
  newToken = randomUUID,
}: Pick<Services, 'clock' | 'stopping'> & Partial<Pick<Services, 'random' | 'newToken'>>): Embedded {
  const config = readConfig({
    ...localSettings,
    GOOGLE_CLOUD_PROJECT: localProject,
    EARTHENGINE_EMULATOR_HOST: 'localhost:1',
    STORAGE_EMULATOR_HOST: 'http://localhost:1',
  });
  const { services, gate, simulator, cloudStorage } = createInProcess({
    config,
    // Nothing subscribes to the events here.
    publisher: {
      publish: async (_topic, messages) => messages.map(() => ({ messageId: newToken() })),
      close: async () => {},
    },
    clock,
    random,
    newToken,
    log: silentLog,
    stopping,
    simulator: simulatorSettings,
    deliveries,
  });
  const { store } = services;
  return {
    config,
    store,
    simulator,
    cloudStorage: async () => cloudStorage,
    async deliver(messageId, data) {
      const body = { message: { messageId, data: Buffer.from(data).toString('base64'), attributes: {} } };
      const envelope = parseEnvelope({ headers: {}, body });
      if (!envelope) {
        throw new LocalError('DEMO_FAILED', 'The demo made a push request that cannot be parsed');
      }
      await submit(services, gate, envelope);
    },
    async poll() {
      await pollExports(services, gate);
    },
  };
}

export const embeddedDescription = (because: string): string =>
  `Embedded, because ${because}: records are in memory, messages stay in this process, and Earth Engine is simulated.`;

export function embeddedStage(onProblem: OnProblem, because: string): Stage {
  const stopping = new AbortController();
  const { signal } = stopping;
  const embedded = createEmbedded({ clock: systemClock, stopping: signal });
  const polling = keepPolling();
  const deliveries = new Set<Promise<void>>();

  async function keepPolling(): Promise<void> {
    while (!signal.aborted) {
      try {
        await systemClock.sleep(POLL_EVERY_MS, signal);
        await embedded.poll();
      } catch (thrown) {
        if (!signal.aborted) {
          onProblem(asError(thrown));
        }
      }
    }
  }

  return {
    ...embedded,
    description: embeddedDescription(because),
    videoFolder,
    clock: systemClock,
    async publish(data) {
      const delivery = embedded.deliver(String(deliveries.size + 1), data);
      deliveries.add(delivery.catch((thrown: unknown) => onProblem(asError(thrown))));
    },
    async stop() {
      await Promise.all(deliveries);
      stopping.abort();
      await polling;
    },
  };
}
