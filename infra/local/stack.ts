import { setTimeout as wait } from 'node:timers/promises';

import { SECOND_MS } from '../../shared/clock.ts';
import { readConfig, type Config, type Topics } from '../../shared/config.ts';
import { asError } from '../../shared/errors.ts';
import { targetNames, type Target } from '../targets.ts';
import { startEmulators, type Emulators } from './emulators.ts';
import { startFunction, type Exit, type FunctionProcess } from './function-process.ts';
import { LocalError } from './local-error.ts';
import type { Ports } from './ports.ts';
import { createPubsubRest, type PubsubRest } from './pubsub-rest.ts';
import { deliver, type DeliveryRule } from './storage/deliver.ts';
import { serveStorage } from './storage/serve.ts';
import { createStorage, type SimulatedStorage } from './storage/storage.ts';
import {
  createSimulator,
  serveSimulator,
  type Simulator,
  type SimulatorSettings,
} from './simulator/index.ts';

/** Google's clients and emulators also treat `demo-` projects as not real. */
export const localProject = 'demo-video-exports';

/** Seconds instead of minutes, so that a closed gate does not stop a local run for a quarter of an hour. */
export const localSettings = {
  SUBMIT_LEASE_SECONDS: '10',
  SUBMIT_TIMEOUT_SECONDS: '4',
  RETRY_MIN_SECONDS: '1',
  RETRY_MAX_SECONDS: '5',
  POLL_MIN_SECONDS: '5',
  POLL_MAX_SECONDS: '30',
  POLL_BUDGET_SECONDS: '20',
  DELIVERY_WAIT_SECONDS: '30',
  // The simulator has no limit, so nothing waits for its turn.
  EARTHENGINE_REQUESTS_PER_SECOND: '100000',
  STALLED_HOURS: '0.01',
} as const;

export interface StackOptions {
  readonly project?: string | undefined;
  /** Variables of the service, which override the local ones. */
  readonly settings?: Readonly<Record<string, string>> | undefined;
  readonly simulator?: Partial<SimulatorSettings> | undefined;
  /** Default: free ones. */
  readonly ports?: Ports | undefined;
  /** With rules (an empty list means none), Earth Engine writes videos to simulated buckets, and deliveries are verified. */
  readonly deliveries?: readonly DeliveryRule[] | undefined;
  /** The time from the end of one call of the poller to the next. */
  readonly pollEveryMs?: number | undefined;
  /** Receives each line that a function prints. */
  readonly onLine?: ((target: Target, line: string) => void) | undefined;
  /** Receives what should not happen: a function that ended, a poll that failed. */
  readonly onProblem: (problem: Error) => void;
}

/** The whole service on one machine: Google's emulators, a simulated Earth Engine, and a process for each function. */
export interface Stack {
  readonly config: Config;
  /** The environment variables that another process needs to use this stack. */
  readonly environment: Readonly<Record<string, string>>;
  readonly emulators: Emulators;
  readonly pubsub: PubsubRest;
  readonly simulator: Simulator;
  /** Empty without `deliveries`. */
  readonly buckets: SimulatedStorage;
  readonly functions: Readonly<Record<Target, FunctionProcess>>;
  /** Stops everything that was started here, the last part first. */
  stop(): Promise<void>;
}

/** @throws EmulatorsUnavailableError if Google's emulators are neither running nor installed */
export async function startStack({
  project = localProject,
  settings = {},
  simulator: simulatorSettings = {},
  ports,
  deliveries,
  pollEveryMs = SECOND_MS,
  onLine = () => {},
  onProblem,
}: StackOptions): Promise<Stack> {
  // If a later part does not start, the parts before it are stopped, the last one first.
  await using started = new AsyncDisposableStack();

  const emulators = await startEmulators({ projectId: project, ports });
  started.defer(() => emulators.stop());

  // The simulator moves on when it is asked.
  const buckets = createStorage({ advance: () => void simulator.counters() });
  const simulator = createSimulator({
    settings: simulatorSettings,
    ...(deliveries && { onEnd: (operation) => deliver(buckets, operation, deliveries) }),
  });
  const server = await serveSimulator(simulator, { port: ports?.earthEngine ?? 0 });
  started.defer(() => server.close());

  const storageServer = deliveries && (await serveStorage(buckets));
  started.defer(() => storageServer?.close());

  const environment = {
    ...emulators.environment,
    EARTHENGINE_EMULATOR_HOST: `127.0.0.1:${server.port}`,
    ...(storageServer && { STORAGE_EMULATOR_HOST: storageServer.url }),
  };
  const functionEnvironment = { ...localSettings, ...settings, ...environment };
  const config = readConfig(functionEnvironment);

  const functions = await startFunctions(functionEnvironment, ports, onLine);
  started.defer(async () => {
    await Promise.all(Object.values(functions).map((running) => running.stop()));
  });
  for (const running of Object.values(functions)) {
    void running.exited.then((exit) => exit.expected || onProblem(crashOf(running, exit)));
  }

  const pubsub = createPubsubRest(emulators.pubsubHost, project);
  const subscriptions = await connect(pubsub, config.topics, {
    submitExport: functions.submitExport.url,
    pollExports: functions.pollExports.url,
    expandBatch: functions.expandBatch.url,
    cancelExports: functions.cancelExports.url,
    recordDeadLetter: functions.recordDeadLetter.url,
  });
  // An emulator that was not started here continues to run, and would push to ports that are no longer in use.
  started.defer(async () => {
    await Promise.all(subscriptions.map((subscription) => pubsub.unsubscribe(subscription)));
  });

  started.use(startTicking(functions.pollExports.url, pollEveryMs, onProblem));

  const parts = started.move();
  return {
    config,
    environment,
    emulators,
    pubsub,
    simulator,
    buckets,
    functions,
    stop: () => parts.disposeAsync(),
  };
}

async function startFunctions(
  env: Readonly<Record<string, string>>,
  ports: Ports | undefined,
  onLine: (target: Target, line: string) => void,
): Promise<Record<Target, FunctionProcess>> {
  const results = await Promise.allSettled(
    targetNames.map((target) =>
      startFunction({ target, env, port: ports?.[target], onLine: (line) => onLine(target, line) }),
    ),
  );
  const running = results.flatMap((result) => (result.status === 'fulfilled' ? [result.value] : []));
  const failure = results.find((result) => result.status === 'rejected');
  if (failure) {
    await Promise.all(running.map((each) => each.stop()));
    throw failure.reason;
  }
  return Object.fromEntries(running.map((each) => [each.target, each])) as Record<Target, FunctionProcess>;
}

/** Every function that receives push messages. */
type PushedTarget = Exclude<Target, 'showExports'>;

/** The subscription from which local tools read the service's events. */
export const eventsSubscription = (topics: Topics): string => `${topics.events}-local`;

/**
 * Creates the topics and subscriptions of the module, with retries every second.
 *
 * @param endpoints the address of each function that receives messages
 * @returns the subscriptions, to delete at the end
 */
export async function connect(
  pubsub: PubsubRest,
  topics: Topics,
  endpoints: Readonly<Record<PushedTarget, string>>,
  { maxDeliveryAttempts = 20 }: { readonly maxDeliveryAttempts?: number } = {},
): Promise<string[]> {
  await Promise.all(Object.values<string>({ ...topics }).map((topic) => pubsub.createTopic(topic)));
  const deadLetters = { topic: topics.deadLetters, maxDeliveryAttempts };
  const subscriptions = {
    [`${topics.jobs}-push`]: { topic: topics.jobs, pushTo: endpoints.submitExport, deadLetters },
    [`${topics.batches}-push`]: { topic: topics.batches, pushTo: endpoints.expandBatch, deadLetters },
    [`${topics.cancellations}-push`]: {
      topic: topics.cancellations,
      pushTo: endpoints.cancelExports,
      deadLetters,
    },
    [`${topics.polls}-push`]: { topic: topics.polls, pushTo: endpoints.pollExports, deadLetters },
    [`${topics.deadLetters}-push`]: { topic: topics.deadLetters, pushTo: endpoints.recordDeadLetter },
    [`${topics.deadLetters}-kept`]: { topic: topics.deadLetters },
    [eventsSubscription(topics)]: { topic: topics.events },
  };
  await Promise.all(
    Object.entries(subscriptions).map(([subscription, options]) => pubsub.subscribe(subscription, options)),
  );
  return Object.keys(subscriptions);
}

/** Calls the poller as Cloud Scheduler does, one call at a time: the next call does not slow down a slow run. */
export function startTicking(
  url: string,
  everyMs: number,
  onProblem: (problem: Error) => void,
): AsyncDisposable {
  const stopping = new AbortController();
  const { signal } = stopping;
  const ticking = (async () => {
    while (!signal.aborted) {
      try {
        await wait(everyMs, undefined, { signal });
        const response = await fetch(url, { method: 'POST', signal });
        const text = await response.text();
        if (!response.ok) {
          throw new LocalError('POLL_FAILED', `pollExports returned ${response.status}: ${text}`);
        }
      } catch (thrown) {
        if (!signal.aborted) {
          onProblem(asError(thrown));
        }
      }
    }
  })();
  return {
    async [Symbol.asyncDispose]() {
      stopping.abort();
      await ticking;
    },
  };
}

function crashOf(running: FunctionProcess, { code, signal }: Exit): LocalError {
  return new LocalError(
    'FUNCTION_CRASHED',
    `${running.target} (pid ${running.pid}) ended unexpectedly with ${code ?? signal}. Its last lines:\n${running.output()}`,
  );
}
