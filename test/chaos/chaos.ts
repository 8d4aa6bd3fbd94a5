import { randomUUID } from 'node:crypto';
import { mkdtemp, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { setTimeout as wait } from 'node:timers/promises';

import { buildMain } from '../../infra/build.ts';
import { startEmulators } from '../../infra/local/emulators.ts';
import { createPubsubRest } from '../../infra/local/pubsub-rest.ts';
import { createRandom } from '../../infra/local/simulator/random.ts';
import {
  createSimulator,
  serveSimulator,
  type SimulatorSettings,
} from '../../infra/local/simulator/index.ts';
import { connect } from '../../infra/local/stack.ts';
import type { Target } from '../../infra/targets.ts';
import { SECOND_MS, systemClock } from '../../shared/clock.ts';
import { readConfig } from '../../shared/config.ts';
import { policyOf } from '../../shared/record/policy.ts';
import { createFirestoreStore } from '../../shared/store/firestore.ts';
import { createHarness } from '../harness.ts';
import { root } from '../processes.ts';
import { type BatchStage, batchWork, endless, playBatches } from './batches.ts';
import { openBalancer } from './balancer.ts';
import { drawFault, wreakHavoc } from './faults.ts';
import { expire } from './expiry.ts';
import { startFleet } from './fleet.ts';
import { failing, planMessages, type PlannedMessage } from './messages.ts';
import { readBatches, readOutcome, readRecords, type Stage } from './outcome.ts';
import { createTally, missingFaults, type Tally } from './tally.ts';
import { openTcpGate } from './tcp-gate.ts';
import { differences, openEnds, type Outcome, type PublishedMessage } from './verify.ts';

/*
 * The real service under every kind of fault: Google's emulators, several processes of each function, and a simulated Earth
 * Engine. The same seed draws the same faults in the same order, but their timing depends on the machine.
 */

export interface ChaosOptions {
  readonly jobs: number;
  /** How long faults occur. They continue if the machine is too slow to deliver everything in this time. */
  readonly seconds: number;
  readonly seed: number;
}

export interface ChaosResult extends ChaosOptions {
  readonly published: number;
  readonly tally: Tally;
  readonly outcome: Outcome;
  /** The time from the last fault until nothing was left to do. */
  readonly quietSeconds: number;
  /** Every broken promise of the service. */
  readonly problems: readonly string[];
}

/** Times so short that hours of faults fit into a minute. T of the rules is 6 + 2 × 2.5 = 11 s. */
const settings = {
  SUBMIT_LEASE_SECONDS: '6',
  SUBMIT_TIMEOUT_SECONDS: '2.5',
  RETRY_MIN_SECONDS: '0.5',
  RETRY_MAX_SECONDS: '4',
  POLL_MIN_SECONDS: '1',
  POLL_MAX_SECONDS: '10',
  POLL_BUDGET_SECONDS: '10',
  MAX_ACTIVE_OPERATIONS: '60',
  ALLOWED_PROJECTS: '*',
} as const;

/** A small queue that uses up ids, a list that lags and has no order, and responses that lack fields. */
const earthEngine: Partial<SimulatorSettings> = {
  queueLimit: 12,
  useUpIdWhenFull: true,
  refuseWhileWorking: true,
  listLagMs: 1500,
  listOrder: 'random',
  concurrency: 10,
  startsPerSecond: 20,
  pendingMs: 200,
  runMs: [200, 2000],
  stalling: [endless],
  failing: [{ pattern: failing, code: 3, message: 'User memory limit exceeded.' }],
  quirkRates: { missingFields: 0.1, unknownState: 0.1, epochStart: 0.1 },
};

const fleetSizes = {
  submitExport: 3,
  pollExports: 2,
  recordDeadLetter: 1,
  expandBatch: 1,
  cancelExports: 1,
} as const;
const POLLERS = 2;
const POLL_PAUSE_MS = 400;
const LOOK_EVERY_MS = 500;
/** Enough after the last fault for an expired lease, two searches T apart, and all operations in the queue. */
const QUIET_LIMIT_MS = 120 * SECOND_MS;
/** Jobs are published in this part of the time, so that faults affect each of them. */
const PUBLISHING_SHARE = 0.8;
const BURST = 10;

export async function runChaos({ jobs, seconds, seed }: ChaosOptions): Promise<ChaosResult> {
  const problems: string[] = [];
  const onProblem = (problem: Error): void => void problems.push(problem.message);
  const tally = createTally();
  // Each part has its own stream of numbers: how often one part draws must not change the numbers of another.
  let streams = 0;
  const stream = (): (() => number) => createRandom(seed * 1000 + (streams += 1));
  const project = `demo-chaos-${seed}-${process.pid}`;
  let rough = true;

  await using stack = new AsyncDisposableStack();
  const outDir = await mkdtemp(join(root, 'build-chaos-'));
  stack.defer(() => rm(outDir, { recursive: true, force: true }));
  await buildMain(outDir);
  const emulators = await startEmulators({ projectId: project });
  stack.defer(() => emulators.stop());
  const firestore = await openTcpGate(emulators.firestoreHost);
  stack.defer(() => firestore.close());
  const pubsubGate = await openTcpGate(emulators.pubsubHost);
  stack.defer(() => pubsubGate.close());

  const faults = stream();
  const simulator = createSimulator({
    seed,
    settings: earthEngine,
    onRequest: (_request, call) => (rough ? drawFault(call, faults, tally) : undefined),
  });
  const server = await serveSimulator(simulator);
  stack.defer(() => server.close());

  const env = {
    ...settings,
    ...emulators.environment,
    FIRESTORE_EMULATOR_HOST: firestore.host,
    PUBSUB_EMULATOR_HOST: pubsubGate.host,
    EARTHENGINE_EMULATOR_HOST: `127.0.0.1:${server.port}`,
  };
  const { topics, firestoreDatabase } = readConfig(env);
  const source = join(outDir, 'functions', 'index.js');
  const fleets = await Promise.all(
    Object.entries(fleetSizes).map(([target, size]) =>
      startFleet({ target: target as Target, size, source, env, tally, onProblem }),
    ),
  );
  stack.defer(async () => void (await Promise.all(fleets.map((fleet) => fleet.stop()))));

  const balancer = await openBalancer({
    addresses: (target) => fleets.find((fleet) => fleet.target === target)?.addresses() ?? [],
    random: stream(),
    tally,
    isRough: () => rough,
  });
  stack.defer(() => balancer.close());
  const pubsub = createPubsubRest(emulators.pubsubHost, project);
  const subscriptions = await connect(
    pubsub,
    topics,
    {
      pollExports: 'http://127.0.0.1:9',
      submitExport: balancer.url('submitExport'),
      recordDeadLetter: balancer.url('recordDeadLetter'),
      expandBatch: balancer.url('expandBatch'),
      cancelExports: balancer.url('cancelExports'),
    },
    { maxDeliveryAttempts: 100 },
  );
  stack.defer(async () => void (await Promise.all(subscriptions.map((name) => pubsub.unsubscribe(name)))));
  // The functions' connections to Firestore can be cut; this process reads Firestore directly.
  Object.assign(process.env, emulators.environment);
  const store = createFirestoreStore({
    projectId: project,
    databaseId: firestoreDatabase,
    emulatorHost: emulators.firestoreHost,
  });
  stack.defer(() => store.close());

  const published: PublishedMessage[] = [];
  const stage: Stage = {
    pubsub,
    topics,
    store,
    simulator,
    balancer,
    published,
    work: batchWork(String(seed)),
  };
  const polling = new AbortController();
  const pollers = Array.from({ length: POLLERS }, () => keepPolling(stage, tally, polling.signal));
  stack.defer(async () => {
    polling.abort();
    await Promise.all(pollers);
  });

  const roughMs = seconds * SECOND_MS;
  const disturbing = new AbortController();
  const planned = planMessages(jobs, String(seed), stream());
  const playing = new AbortController();
  const played = playBatches(batchStage(stage, env), String(seed), playing.signal).catch(onProblem);
  await Promise.all([
    publishAll(stage, planned, roughMs * PUBLISHING_SHARE),
    wreakHavoc(
      { fleets, firestore, pubsub: pubsubGate, simulator, random: stream(), tally },
      disturbing.signal,
    ),
    untilAllDelivered(stage, planned.length, roughMs).then(() => disturbing.abort()),
  ]);
  rough = false;
  const quietSince = Date.now();
  const stillOpen = await untilNothingIsOpen(stage, quietSince + QUIET_LIMIT_MS);
  playing.abort();
  await played;
  const quietSeconds = (Date.now() - quietSince) / SECOND_MS;
  if (stillOpen.length > 0) {
    problems.push(`not done ${quietSeconds} s after the last fault`);
  }
  // Polling does not change a record that has ended.
  await balancer.call('pollExports', '');
  await balancer.call('pollExports', '');
  const outcome = await readOutcome(stage);
  problems.push(...differences(outcome), ...missingFaults(tally));
  const expiry = {
    store,
    firestoreHost: emulators.firestoreHost,
    project,
    database: firestoreDatabase,
    poll: () => balancer.call('pollExports', ''),
    exportCalls: () => simulator.exportCalls.length,
  };
  problems.push(...(await expire(expiry, outcome)));
  return { jobs, seconds, seed, published: published.length, tally, outcome, quietSeconds, problems };
}

/** On a slow machine, faults continue until everything is delivered, at most twice as long. */
async function untilAllDelivered(
  { published, balancer }: Stage,
  planned: number,
  roughMs: number,
): Promise<void> {
  await wait(roughMs);
  const deadlineMs = Date.now() + roughMs;
  const isDelivered = () =>
    published.length === planned && published.every(({ messageId }) => balancer.acknowledged.has(messageId));
  while (!isDelivered() && Date.now() < deadlineMs) {
    await wait(LOOK_EVERY_MS);
  }
}

/** Polls as Cloud Scheduler does, but several times at once: runs overlap. */
async function keepPolling({ balancer }: Stage, tally: Tally, signal: AbortSignal): Promise<void> {
  while (!signal.aborted) {
    const status = await balancer.call('pollExports', '');
    tally.count(status === 200 ? 'poll:finished' : 'poll:interrupted');
    await wait(POLL_PAUSE_MS);
  }
}

/** Publishes in bursts, so that many submissions are in progress at once. */
async function publishAll(
  { pubsub, topics, published }: Stage,
  planned: readonly PlannedMessage[],
  withinMs: number,
): Promise<void> {
  const bursts = Math.ceil(planned.length / BURST);
  for (let burst = 0; burst < bursts; burst += 1) {
    await Promise.all(
      planned.slice(burst * BURST, (burst + 1) * BURST).map(async (message) => {
        const messageId = await pubsub.publish(topics.jobs, message.data);
        published.push({ ...message, messageId });
      }),
    );
    await wait(withinMs / bursts);
  }
}

/** @returns what has not finished when the time is up */
async function untilNothingIsOpen(stage: Stage, deadlineMs: number): Promise<string[]> {
  for (;;) {
    const { records } = await readRecords(stage.store);
    const { published, simulator, balancer } = stage;
    const open = openEnds({
      published,
      records,
      operations: simulator.operations(),
      acknowledged: balancer.acknowledged,
      work: stage.work,
      batches: await readBatches(stage.store),
      exportCalls: simulator.exportCalls,
    });
    if ((open.length === 0 && balancer.underWay() <= POLLERS) || Date.now() > deadlineMs) {
      return open;
    }
    await wait(LOOK_EVERY_MS);
  }
}

/** The operator, whose own connections work. */
function batchStage(
  { pubsub, topics, store, balancer, simulator }: Stage,
  env: Readonly<Record<string, string>>,
): BatchStage {
  const config = readConfig(env);
  const { services } = createHarness({ store });
  return {
    store,
    services: { ...services, config, policy: policyOf(config), clock: systemClock, newToken: randomUUID },
    publish: (topic, data) => pubsub.publish(topics[topic], JSON.stringify(data)),
    async deliverAgain(messageId) {
      const body = balancer.delivered(messageId);
      return body !== undefined && (await balancer.call('cancelExports', body)) < 300;
    },
    endEndless: () => simulator.set({ stalling: [] }),
  };
}
