import { randomUUID } from 'node:crypto';
import { join } from 'node:path';
import { setTimeout as wait } from 'node:timers/promises';

import { systemClock } from '../../shared/clock.ts';
import { readConfig } from '../../shared/config.ts';
import { createEarthEngine } from '../../shared/earth-engine/client.ts';
import { asError } from '../../shared/errors.ts';
import { silentLog } from '../../shared/log.ts';
import { parseEnvelope } from '../../shared/message/envelope.ts';
import type { Services } from '../../shared/services.ts';
import { createFirestoreStore } from '../../shared/store/firestore.ts';
import { LocalError } from './local-error.ts';
import { createMemoryStore } from './memory/store.ts';
import type { Store } from '../../shared/store/store.ts';
import { createGate } from '../../shared/submission/gate.ts';
import { pollExports } from '../../shared/polling/poll.ts';
import { submit } from '../../shared/submission/submit.ts';
import { policyOf } from '../../shared/record/policy.ts';
import { buildMain } from '../build.ts';
import {
  createSimulator,
  simulatorFetch,
  type Simulator,
  type SimulatorSettings,
} from './simulator/index.ts';
import { localSettings, startStack } from './stack.ts';

/** What the demo plays on: the local stack, or all of it in one process. */
export interface Stage {
  /** What is real here and what is not. */
  readonly description: string;
  readonly store: Store;
  readonly simulator: Simulator;
  /** Publishes to the job topic. Resolves with the message's id. */
  publish(data: string): Promise<string>;
  stop(): Promise<void>;
}

interface StageOptions {
  readonly simulator: Partial<SimulatorSettings>;
  readonly onProblem: (problem: Error) => void;
}

const POLL_EVERY_MS = 500;

/** @throws EmulatorsUnavailableError where Google's emulators are neither running nor installed */
export async function stackStage({ simulator: settings, onProblem }: StageOptions): Promise<Stage> {
  await buildMain(join(import.meta.dirname, '..', '..', 'build'));
  // A project of its own: emulators that were there before may hold the records of an earlier demo.
  const project = `demo-video-exports-${randomUUID().slice(0, 8)}`;
  const stack = await startStack({ project, simulator: settings, pollEveryMs: POLL_EVERY_MS, onProblem });
  const { config, emulators, pubsub, simulator } = stack;
  // Google's clients look here, and for credentials where it is not set.
  Object.assign(process.env, stack.environment);
  const store = createFirestoreStore({
    projectId: project,
    databaseId: config.firestoreDatabase,
    emulatorHost: emulators.firestoreHost,
  });
  return {
    description: `Google's emulators (Firestore ${emulators.firestoreHost}, Pub/Sub ${emulators.pubsubHost}), the built functions as five processes, Earth Engine simulated.`,
    store,
    simulator,
    publish: (data) => pubsub.publish(config.topics.jobs, data),
    async stop() {
      await store.close();
      await stack.stop();
    },
  };
}

/**
 * The same handlers without emulators: the in-memory store, which passes the same contract suite as Firestore's, and
 * messages handed over in process.
 */
export function embeddedStage({
  simulator: settings,
  onProblem,
  because,
}: StageOptions & { readonly because: string }): Stage {
  const stopping = new AbortController();
  const simulator = createSimulator({ settings });
  const store = createMemoryStore();
  const config = readConfig({
    ...localSettings,
    GOOGLE_CLOUD_PROJECT: 'demo-video-exports',
    EARTHENGINE_EMULATOR_HOST: 'localhost:1',
  });
  const services: Services = {
    config,
    policy: policyOf(config),
    store,
    earthEngine: createEarthEngine({ url: config.earthEngineUrl, fetch: simulatorFetch(simulator) }),
    // Nobody listens to the events here.
    publisher: {
      publish: async (_topic, messages) => messages.map(() => ({ messageId: randomUUID() })),
      close: async () => {},
    },
    clock: systemClock,
    random: Math.random,
    newToken: randomUUID,
    log: silentLog,
    stopping: stopping.signal,
  };
  const gate = createGate(services);
  const polling = poll();
  const deliveries = new Set<Promise<unknown>>();
  let published = 0;

  async function poll(): Promise<void> {
    while (!stopping.signal.aborted) {
      try {
        await wait(POLL_EVERY_MS, undefined, { signal: stopping.signal });
        await pollExports(services, gate);
      } catch (thrown) {
        if (!stopping.signal.aborted) {
          onProblem(asError(thrown));
        }
      }
    }
  }

  async function deliver(messageId: string, data: string): Promise<void> {
    const body = { message: { messageId, data: Buffer.from(data).toString('base64'), attributes: {} } };
    const envelope = parseEnvelope({ headers: {}, body });
    if (!envelope) {
      throw new LocalError('DEMO_FAILED', 'the demo made a push that is none');
    }
    await submit(services, gate, envelope);
  }

  return {
    description: `Embedded, because ${because}: the store is in memory, messages are handed over within this process, and Earth Engine is simulated.`,
    store,
    simulator,
    async publish(data) {
      const messageId = String(++published);
      deliveries.add(deliver(messageId, data).catch((thrown: unknown) => onProblem(asError(thrown))));
      return messageId;
    },
    async stop() {
      await Promise.all(deliveries);
      stopping.abort();
      await polling;
    },
  };
}
