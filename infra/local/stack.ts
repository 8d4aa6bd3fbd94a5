import { setTimeout as wait } from 'node:timers/promises';

import { SECOND_MS } from '../../shared/clock.ts';
import { readConfig, type Config, type Topics } from '../../shared/config.ts';
import { asError } from '../../shared/errors.ts';
import { targetNames, type Target } from '../targets.ts';
import { startEmulators, type Emulators } from './emulators.ts';
import { startFunction, type Exit, type FunctionProcess } from './function-process.ts';
import { LocalError } from './local-error.ts';
import { createPubsubRest, type PubsubRest } from './pubsub-rest.ts';
import {
  createSimulator,
  serveSimulator,
  type Simulator,
  type SimulatorSettings,
} from './simulator/index.ts';

/** `demo-` projects are never real: Google's clients and emulators keep that promise too. */
export const localProject = 'demo-video-exports';

/** Waits of seconds where the service has minutes: nobody wants to watch a closed gate for a quarter of an hour. */
export const localSettings = {
  SUBMIT_LEASE_SECONDS: '10',
  SUBMIT_TIMEOUT_SECONDS: '4',
  RETRY_MIN_SECONDS: '1',
  RETRY_MAX_SECONDS: '5',
  POLL_MIN_SECONDS: '5',
  POLL_MAX_SECONDS: '30',
  POLL_BUDGET_SECONDS: '20',
} as const;

export interface StackOptions {
  readonly project?: string | undefined;
  /** Variables of the service, over the local ones. */
  readonly settings?: Readonly<Record<string, string>> | undefined;
  readonly simulator?: Partial<SimulatorSettings> | undefined;
  /** How often the poller is called, counted from the end of the call before. */
  readonly pollEveryMs?: number | undefined;
  /** Gets each line that a function prints. */
  readonly onLine?: ((target: Target, line: string) => void) | undefined;
  /** Hears of what should not happen: a function that ended, a poll that failed. */
  readonly onProblem: (problem: Error) => void;
}

/** The whole service on one machine: Google's emulators, a simulated Earth Engine, and every function as a process. */
export interface Stack {
  readonly config: Config;
  /** What another process needs to use this stack. */
  readonly environment: Readonly<Record<string, string>>;
  readonly emulators: Emulators;
  readonly pubsub: PubsubRest;
  readonly simulator: Simulator;
  readonly functions: Readonly<Record<Target, FunctionProcess>>;
  /** Ends everything that was started here, in the order in which parts need each other. */
  stop(): Promise<void>;
}

/** @throws EmulatorsUnavailableError where Google's emulators are neither running nor installed */
export async function startStack({
  project = localProject,
  settings = {},
  simulator: simulatorSettings = {},
  pollEveryMs = SECOND_MS,
  onLine = () => {},
  onProblem,
}: StackOptions): Promise<Stack> {
  // What was started is stopped again, the last first, also when a later part does not start.
  await using started = new AsyncDisposableStack();

  const emulators = await startEmulators({ projectId: project });
  started.defer(() => emulators.stop());

  const simulator = createSimulator({ settings: simulatorSettings });
  const server = await serveSimulator(simulator);
  started.defer(() => server.close());

  const environment = {
    ...emulators.environment,
    EARTHENGINE_EMULATOR_HOST: `127.0.0.1:${server.port}`,
  };
  const functionEnvironment = { ...localSettings, ...settings, ...environment };
  const config = readConfig(functionEnvironment);

  const functions = await startFunctions(functionEnvironment, onLine);
  started.defer(async () => {
    await Promise.all(Object.values(functions).map((running) => running.stop()));
  });
  for (const running of Object.values(functions)) {
    void running.exited.then((exit) => exit.expected || onProblem(crashOf(running, exit)));
  }

  const pubsub = createPubsubRest(emulators.pubsubHost, project);
  const subscriptions = await connect(pubsub, config.topics, {
    submitExport: functions.submitExport.url,
    expandBatch: functions.expandBatch.url,
    cancelExports: functions.cancelExports.url,
    recordDeadLetter: functions.recordDeadLetter.url,
  });
  // An emulator that was there before goes on living, and would push to ports that are no longer ours.
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
    functions,
    stop: () => parts.disposeAsync(),
  };
}

async function startFunctions(
  env: Readonly<Record<string, string>>,
  onLine: (target: Target, line: string) => void,
): Promise<Record<Target, FunctionProcess>> {
  const results = await Promise.allSettled(
    targetNames.map((target) => startFunction({ target, env, onLine: (line) => onLine(target, line) })),
  );
  const running = results.flatMap((result) => (result.status === 'fulfilled' ? [result.value] : []));
  const failure = results.find((result) => result.status === 'rejected');
  if (failure) {
    await Promise.all(running.map((each) => each.stop()));
    throw failure.reason;
  }
  return Object.fromEntries(running.map((each) => [each.target, each])) as Record<Target, FunctionProcess>;
}

/** Every function that is pushed to. */
type PushedTarget = Exclude<Target, 'pollExports'>;

/** The subscription in which local tools read what the service tells. */
export const eventsSubscription = (topics: Topics): string => `${topics.events}-local`;

/**
 * Topics and subscriptions as infra/pubsub.tf has them, with retries of a second.
 *
 * @param endpoints the address of each function that gets messages
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
    [`${topics.deadLetters}-push`]: { topic: topics.deadLetters, pushTo: endpoints.recordDeadLetter },
    [`${topics.deadLetters}-kept`]: { topic: topics.deadLetters },
    [eventsSubscription(topics)]: { topic: topics.events },
  };
  await Promise.all(
    Object.entries(subscriptions).map(([subscription, options]) => pubsub.subscribe(subscription, options)),
  );
  return Object.keys(subscriptions);
}

/** Calls the poller as Cloud Scheduler does. One call at a time: a slow run is not made slower by the next. */
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
        const answer = await response.text();
        if (!response.ok) {
          throw new LocalError('POLL_FAILED', `pollExports answered ${response.status}: ${answer}`);
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
    `${running.target} (pid ${running.pid}) ended by itself with ${code ?? signal}; its last lines were:\n${running.output()}`,
  );
}
