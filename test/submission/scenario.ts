import { MINUTE_MS, SECOND_MS } from '../../shared/clock.ts';
import type { Log } from '../../shared/log.ts';
import { parseRequestId } from '../../shared/model/ids.ts';
import { type ExportRecord, isTerminal } from '../../shared/model/record.ts';
import type { Services } from '../../shared/services.ts';
import type { HeldRequest, TrueOperation } from '../../infra/local/simulator/api.ts';
import { createRandom } from '../../infra/local/simulator/random.ts';
import type { Fault as SimulatedFault, SimulatorSettings } from '../../infra/local/simulator/settings.ts';
import {
  createHarness,
  type Harness,
  type Instance,
  simulatedEarthEngine,
  smallJob,
  type TestMessage,
} from '../harness.ts';
import { createFaultyProcess, type Fault, type FaultyProcess } from './faults.ts';

/**
 * One job from its message to its end, with one fault at a step of a process, for one behavior of Earth Engine and one
 * kind of delivery by Pub/Sub. The harness controls time; nothing sleeps.
 */

export const deliveries = ['once', 'twice at once', 'again after an hour'] as const;
export type Delivery = (typeof deliveries)[number];

export interface Behavior {
  readonly name: string;
  readonly settings?: Partial<SimulatorSettings>;
  /** The first request to Earth Engine is held back and arrives this much later. */
  readonly arrivesLateByMs?: number;
  /** Further requests with an id are refused as a different operation: always, or while the first is in flight. */
  readonly refusesAgain?: 'always' | 'while the first is in flight';
  /** Other users fill the queue for this long. */
  readonly fullForMs?: number;
  /** The number of other users' operations in the list. */
  readonly others?: number;
  /** Every call gets a 500 for this long. */
  readonly outageMs?: number;
  /** The poller and the submitter run as different service accounts. */
  readonly otherAccountPolls?: boolean;
  /** An assumption of the rules about Earth Engine does not hold: a duplicate is possible, and must be detected. */
  readonly breaksAssumption?: boolean;
}

/** T is 240 s with these. */
const environment = { RETRY_MAX_SECONDS: '240', POLL_MAX_SECONDS: '600' };
export const ABSENCE_MS = 240 * SECOND_MS;
const POLL_EVERY_MS = MINUTE_MS;
const MAX_TICKS = 150;

export const behaviors: readonly Behavior[] = [
  { name: 'Earth Engine replays the same operation' },
  { name: 'Earth Engine refuses a duplicate with "A different Operation…"', refusesAgain: 'always' },
  {
    name: 'Earth Engine uses up the id when its queue is full',
    settings: { queueLimit: 1, useUpIdWhenFull: true },
    fullForMs: 3 * MINUTE_MS,
  },
  {
    name: 'Earth Engine refuses while it still works on the first',
    arrivesLateByMs: 100 * SECOND_MS,
    refusesAgain: 'while the first is in flight',
  },
  { name: 'the list lags', settings: { listLagMs: 200 * SECOND_MS } },
  { name: 'a late copy arrives before T', arrivesLateByMs: ABSENCE_MS - 20 * SECOND_MS },
  {
    name: 'a late copy arrives after T',
    arrivesLateByMs: 4 * ABSENCE_MS,
    refusesAgain: 'while the first is in flight',
    settings: { runMs: [25 * MINUTE_MS, 30 * MINUTE_MS] },
    breaksAssumption: true,
  },
  {
    name: 'Earth Engine forgets an id',
    settings: { forgetIdsAfterMs: 60 * SECOND_MS, listLagMs: 230 * SECOND_MS },
    breaksAssumption: true,
  },
  {
    // Then the poller gets each operation individually: a page has 500.
    name: 'the list is long',
    others: 501,
  },
  {
    name: 'Earth Engine has an outage, and lists do not work either',
    outageMs: 5 * MINUTE_MS,
  },
  {
    name: 'another service account takes over',
    settings: { listLagMs: 200 * SECOND_MS },
    otherAccountPolls: true,
  },
];

export interface Scenario {
  readonly behavior: Behavior;
  readonly delivery: Delivery;
  readonly seed: number;
  /** The process with the fault: the one that gets the first delivery, or the first poller. */
  readonly at?: { readonly process: 'submit' | 'poll'; readonly fault: Fault };
  /** Breaks the product on purpose, for control runs. */
  readonly sabotage?: (services: Services) => Services;
}

export interface Played {
  readonly harness: Harness;
  readonly submitter: FaultyProcess;
  readonly poller: FaultyProcess;
  /** What is wrong in the end; empty if the promise was kept. */
  readonly violations: readonly string[];
  readonly operations: readonly TrueOperation[];
  readonly record: ExportRecord | undefined;
}

/** Thousands of runs have no use for logs. */
const noLog: Log = { debug() {}, info() {}, warning() {}, error() {}, with: () => noLog };

interface Due {
  readonly atMs: number;
  readonly message: TestMessage;
}

/** Plays a scenario until nothing is left to do. */
export async function play(scenario: Scenario): Promise<Played> {
  const { behavior, seed, at } = scenario;
  const harness = createWorld(scenario);
  const { clock } = harness;
  const startMs = clock.now().getTime();
  const held = behavior.arrivesLateByMs === undefined ? undefined : hold(harness);
  const submitter = createFaultyProcess(clock, at?.process === 'submit' ? at.fault : undefined);
  const poller = createFaultyProcess(clock, at?.process === 'poll' ? at.fault : undefined);
  const newInstance = processes(harness, scenario);
  const firstSubmit = newInstance('submit', submitter);
  let polling = newInstance('poll', poller);
  const violations: string[] = [];

  let pending = firstDeliveries(scenario.delivery, startMs);
  let isFirst = true;
  for (let tick = 0; ; tick += 1) {
    const nowMs = clock.now().getTime();
    if (behavior.fullForMs !== undefined && nowMs - startMs >= behavior.fullForMs) {
      harness.simulator.setOthers('demo-test', { pending: 0 });
    }
    if (behavior.outageMs !== undefined && nowMs - startMs >= behavior.outageMs) {
      harness.simulator.set({ faultRates: {} });
    }
    await held?.releaseAfter(behavior.arrivesLateByMs ?? 0);
    const due = pending.filter((delivery) => delivery.atMs <= nowMs);
    pending = pending.filter((delivery) => delivery.atMs > nowMs);
    const outcomes = await Promise.allSettled(
      due.map(({ message }, index) =>
        (isFirst && index === 0 ? firstSubmit : newInstance('submit')).submit(message),
      ),
    );
    isFirst = false;
    // What was not acknowledged is redelivered, to a new process.
    pending.push(
      ...due
        .filter((_, index) => outcomes[index]?.status === 'rejected')
        .map(({ message }) => ({ message, atMs: nowMs + 10 * SECOND_MS })),
    );
    if (poller.isDead()) {
      polling = newInstance('poll');
    }
    const pollStart = clock.now();
    const failedBefore = poller.hasFailed();
    // Every other seed: Cloud Scheduler's runs overlap.
    const runs = seed % 2 === 0 ? [polling, newInstance('poll')] : [polling];
    await Promise.allSettled(runs.map((run) => run.poll()));
    const hasPolled = runs.length > 1 || poller.hasFailed() === failedBefore;
    if (hasPolled && at?.fault.kind.startsWith('crash')) {
      violations.push(...(await stillStuck(harness, pollStart)));
    }
    const isHeld = held?.isHeld() ?? false;
    if (pending.length === 0 && !isHeld && (await isQuiet(harness))) {
      break;
    }
    if (tick >= MAX_TICKS) {
      violations.push(`not quiet after ${tick} polls`);
      break;
    }
    const nextDelivery = Math.min(...pending.map((delivery) => delivery.atMs));
    const isIdle = Number.isFinite(nextDelivery) && !isHeld && (await isQuiet(harness));
    clock.advance(isIdle ? Math.max(POLL_EVERY_MS, nextDelivery - clock.now().getTime()) : POLL_EVERY_MS);
  }
  const records = await harness.records();
  const operations = harness.simulator.operations();
  violations.push(...(await findViolations(harness, behavior)));
  return { harness, submitter, poller, violations, operations, record: records[0]?.value };
}

function createWorld({ behavior, seed }: Scenario): Harness {
  const isInFlight = (): boolean =>
    harness.simulator.exportCalls.some((call) => call.outcome === 'HELD') &&
    !harness.simulator.operations().some((operation) => operation.requestId?.match(/-g\d+$/) === null);
  const refuse: SimulatedFault = {
    kind: 'status',
    status: 400,
    message: 'A different Operation was already started with the given request_id',
  };
  const harness = createHarness({
    environment,
    log: noLog,
    simulator: {
      seed,
      settings: {
        runMs: [2 * MINUTE_MS, 4 * MINUTE_MS],
        listOrder: (['newest', 'oldest', 'random'] as const)[seed % 3] ?? 'newest',
        ...(behavior.otherAccountPolls ? { tokens: { 'a@demo': 'a@demo', 'b@demo': 'b@demo' } } : {}),
        ...behavior.settings,
      },
      onRequest: (request, call) => {
        if (call !== 'export' || behavior.refusesAgain === undefined) {
          return undefined;
        }
        const { requestId } = JSON.parse(new TextDecoder().decode(request.body)) as { requestId: string };
        const wasSent = harness.simulator.exportCalls.some(
          (sent) => sent.requestId === requestId && (sent.outcome === 'HELD' || sent.outcome === 'STARTED'),
        );
        return wasSent && (behavior.refusesAgain === 'always' || isInFlight()) ? refuse : undefined;
      },
    },
  });
  if (behavior.fullForMs !== undefined) {
    harness.simulator.setOthers('demo-test', { pending: 1 });
  }
  if (behavior.others !== undefined) {
    harness.simulator.setOthers('demo-test', { ended: behavior.others });
  }
  if (behavior.outageMs !== undefined) {
    harness.simulator.set({ faultRates: { internal: 1 } });
  }
  // Polls do not start at whole minutes after a message.
  harness.clock.advance(seed * 11 * SECOND_MS);
  return harness;
}

/** Processes of the service, each with its own random numbers. */
function processes(harness: Harness, { behavior, seed, sabotage = (services) => services }: Scenario) {
  let count = 0;
  return (kind: 'submit' | 'poll', faulty?: FaultyProcess): Instance =>
    harness.instance((services) => {
      count += 1;
      const account = behavior.otherAccountPolls ? (kind === 'poll' ? 'b@demo' : 'a@demo') : undefined;
      const changed: Services = {
        ...services,
        random: createRandom(seed * 1000 + count),
        ...(account ? { earthEngine: simulatedEarthEngine(harness.simulator, harness.clock, account) } : {}),
      };
      const wrapped = faulty ? faulty.wrap(changed) : changed;
      return sabotage(wrapped);
    });
}

function firstDeliveries(delivery: Delivery, nowMs: number): Due[] {
  const message: TestMessage = { data: smallJob(), messageId: 'message-of-the-job' };
  const first = { atMs: nowMs, message };
  switch (delivery) {
    case 'once':
      return [first];
    case 'twice at once':
      return [first, first];
    case 'again after an hour':
      return [first, { atMs: nowMs + 60 * MINUTE_MS, message }];
  }
}

function hold({ simulator, clock }: Harness) {
  const request: HeldRequest = simulator.holdNext('RESET');
  let caughtAtMs: number | undefined;
  let released = false;
  const noteWhen = async (): Promise<void> => {
    await request.caught;
    caughtAtMs = clock.now().getTime();
  };
  void noteWhen();
  return {
    isHeld: () => caughtAtMs !== undefined && !released,
    releaseAfter: async (ms: number): Promise<void> => {
      if (caughtAtMs !== undefined && !released && clock.now().getTime() - caughtAtMs >= ms) {
        released = true;
        await request.release();
      }
    },
  };
}

/**
 * After a successful poll, no claim is left whose lease had ended when the poll began: one lease and one poll at most.
 */
async function stillStuck(harness: Harness, pollStart: Date): Promise<string[]> {
  const records = await harness.records();
  return records
    .filter(({ value }) => value.state === 'SUBMITTING' && value.claim.leaseUntil <= pollStart)
    .map(
      ({ value }) => `still in SUBMITTING after a poll at ${pollStart.toISOString()}: rev ${value.revision}`,
    );
}

async function isQuiet(harness: Harness): Promise<boolean> {
  const records = await harness.records();
  return (
    records.length > 0 &&
    records.every(({ value }) => isTerminal(value) && (value.unpublishedEvents ?? []).length === 0)
  );
}

/** Checks the promise against what the simulator knows. */
export async function findViolations(
  harness: Harness,
  behavior: Pick<Behavior, 'breaksAssumption'>,
): Promise<string[]> {
  const violations: string[] = [];
  const records = await harness.records();
  const operations = harness.simulator.operations();
  if (records.length !== 1) {
    violations.push(`${records.length} records for one job`);
  }
  const bytes = Map.groupBy(harness.simulator.exportCalls, (call) => call.requestId);
  for (const [requestId, calls] of bytes) {
    if (new Set(calls.map((call) => call.sha256)).size > 1) {
      violations.push(`different bytes were sent for ${requestId}`);
    }
  }
  for (const { id, value } of records) {
    const ofJob = operations.filter((each) => parseRequestId(each.requestId ?? '')?.recordId === id);
    const own = ofJob.find((each) => 'operation' in value && each.name === value.operation);
    if (!own) {
      violations.push(`${value.state} has no operation at Earth Engine (of ${ofJob.length})`);
    } else if (own.state !== value.state || own.requestId !== value.requestId) {
      violations.push(
        `recorded ${value.state} ${value.requestId}, but Earth Engine has ${own.state} ${own.requestId}`,
      );
    }
    const events = eventsOf(harness, id);
    if (!events.some((event) => event['kind'] === 'STATE' && event['state'] === value.state)) {
      violations.push(`no event reports ${value.state}`);
    }
    const extras = ofJob.filter((each) => each !== own);
    if (extras.length > 0 && !behavior.breaksAssumption) {
      violations.push(`${ofJob.length} operations for one job`);
    }
    for (const extra of extras) {
      violations.push(...undetected(extra, value, events));
    }
  }
  return violations;
}

/**
 * A duplicate that the rules cannot prevent is detected and reported; one of another generation is canceled too (rule
 * 9).
 */
function undetected(
  extra: TrueOperation,
  record: ExportRecord,
  events: readonly Readonly<Record<string, string>>[],
): string[] {
  const violations: string[] = [];
  const noted = record.extraOperations?.find((each) => each.operation === extra.name);
  if (!noted) {
    violations.push(`a duplicate was not detected: ${extra.requestId} ${extra.state}`);
  }
  if (!events.some((event) => event['kind'] === 'EXTRA_OPERATION')) {
    violations.push('a duplicate was not reported');
  }
  if (extra.requestId !== record.requestId && !extra.cancelRequested) {
    violations.push(`a duplicate of another generation was not canceled: ${extra.requestId}`);
  }
  if (extra.requestId === record.requestId && extra.cancelRequested) {
    violations.push(
      'a duplicate with the same id was canceled, although it might have been the record’s own',
    );
  }
  return violations;
}

const eventsOf = (harness: Harness, recordId: string) =>
  harness.publisher.published
    .filter(({ topic }) => topic === harness.config.topics.events)
    .map(({ message }) => message.attributes)
    .filter((attributes) => attributes['recordId'] === recordId);
