import { createMemoryStore, type MemoryStore } from '../../infra/local/memory/store.ts';
import type { SimulatorRequest } from '../../infra/local/simulator/request.ts';
import type { CallKind, Fault as SimulatedFault } from '../../infra/local/simulator/settings.ts';
import type { Log } from '../../shared/log.ts';
import type { Batch } from '../../shared/model/batch.ts';
import { type ExportRecord, isTerminal } from '../../shared/model/record.ts';
import { parseRequestId } from '../../shared/model/ids.ts';
import type { Publisher } from '../../shared/publisher.ts';
import type { Services } from '../../shared/services.ts';
import { createHarness, type Harness } from '../harness.ts';
import { createDice, type Dice } from './dice.ts';
import { createFacts, type Facts } from './facts.ts';
import { idOf, kindOfDescription } from './jobs.ts';
import { observeStore } from './observed-store.ts';
import { jobsOf, type Plan, projects } from './plan.ts';
import { createTimeline, type Timeline } from './timeline.ts';
import { watchBatch, watchOperation, watchRecord } from './watch.ts';

/** Everything outside of the processes, in virtual time: the store, Earth Engine, the topics, and the facts. */
export interface World {
  readonly plan: Plan;
  /** For what happens at random on the way. The plan is drawn with other dice. */
  readonly dice: Dice;
  readonly timeline: Timeline;
  readonly harness: Harness;
  readonly facts: Facts;
  readonly violations: string[];
  readonly trace: readonly string[];
  readonly publish: Publisher['publish'];
  /** Takes a safeguard out of a process: control runs. */
  readonly sabotage: (services: Services) => Services;
  isRough(): boolean;
  setRough(isRough: boolean): void;
  /** Adds a line to the trace, if there is one. */
  readonly note: (text: () => string) => void;
  readonly violated: (what: string, detail: string) => void;
  /** An id in words: `single/0-2` for the second attempt at single/0. */
  readonly nameOf: (id: string) => string;
  /** Starts work that no caller waits for. */
  keepGoing(work: () => Promise<void>): void;
  /** Whether such work is under way. */
  readonly isBusy: () => boolean;
  /** Checks the export calls since the last check. */
  watchOperations(): void;
  /** Calls the listener whenever something was published. */
  onPublished(listener: () => void): void;
  /** Deletes documents that have expired, as Firestore's TTL does: in any order, some later than others. */
  readonly expire: (share: number) => void;
}

export interface WorldOptions {
  readonly plan: Plan;
  readonly isTraced: boolean;
  readonly sabotage?: ((services: Services) => Services) | undefined;
}

const MAX_VIOLATIONS = 20;

export function createWorld({ plan, isTraced, sabotage = (services) => services }: WorldOptions): World {
  const memory = createMemoryStore();
  const facts = createFacts();
  const dice = createDice(plan.seed * 7919 + 1);
  const names = namesOf(plan);
  const trace: string[] = [];
  const violations: string[] = [];
  let rough = false;
  let busy = 0;
  let watched = 0;
  let published = (): void => {};

  const note = (text: () => string): void => {
    if (isTraced) {
      trace.push(`${harness.clock.now().toISOString().slice(5, 23)} ${text()}`);
    }
  };
  const store = observeStore(memory, facts.lostRequests, {
    record: (id, before, after) => {
      const nowMs = world.timeline.nowMs();
      facts.records.set(id, after);
      if (before === undefined) {
        facts.createdMs.set(id, nowMs);
      }
      if (isTerminal(after) && !(before && isTerminal(before))) {
        facts.endedMs.set(id, nowMs);
      }
      note(() => `  ${world.nameOf(id)} ${inWords(before)} → ${inWords(after)}`);
      watchRecord(world, id, before, after);
    },
    batch: (id, before, after) => {
      facts.batches.set(id, after);
      note(() => `  batch ${id} ${before?.state ?? 'nothing'} → ${batchInWords(after)}`);
      watchBatch(world, id, before, after);
    },
  });
  const harness = createHarness({
    environment: plan.environment,
    store,
    log: isTraced ? tracingLog(note) : noLog,
    simulator: {
      seed: plan.seed,
      settings: plan.settings,
      onRequest: (request, call) => refusalOf(world, request, call),
    },
  });
  for (const project of projects) {
    harness.simulator.setOthers(project, { ended: plan.listed });
  }

  const world: World = {
    plan,
    dice,
    timeline: createTimeline(harness.clock),
    harness,
    facts,
    violations,
    trace,
    sabotage,
    publish: async (topic, messages, timeoutMs) => {
      const outcomes = await harness.publisher.publish(topic, messages, timeoutMs);
      published();
      return outcomes;
    },
    onPublished: (listener) => {
      published = listener;
    },
    isRough: () => rough,
    setRough: (isRough) => {
      rough = isRough;
      note(() => (isRough ? '── rough' : '── calm'));
      if (!isRough) {
        facts.calmMs.push(world.timeline.nowMs());
      }
    },
    note,
    violated: (what, detail) => {
      const text = `${what}: ${detail}`;
      note(() => `VIOLATION ${text}`);
      if (violations.length < MAX_VIOLATIONS && !violations.includes(text)) {
        violations.push(text);
      }
    },
    nameOf: (id) => {
      const parsed = parseRequestId(id);
      const [, first = id, attempt = ''] = /^(ve1-[a-z2-7]{32})(-\d+)?$/.exec(parsed?.recordId ?? id) ?? [];
      const generation = parsed && parsed.generation > 1 ? ` g${parsed.generation}` : '';
      return `${names.get(first) ?? first}${attempt}${generation}`;
    },
    keepGoing: (work) => {
      busy += 1;
      void work().finally(() => {
        busy -= 1;
      });
    },
    isBusy: () => busy > 0,
    watchOperations: () => {
      const { exportCalls } = harness.simulator;
      for (; watched < exportCalls.length; watched += 1) {
        const call = exportCalls[watched];
        if (call) {
          note(() => `  Earth Engine: export ${world.nameOf(call.requestId ?? '')} ${call.outcome}`);
          watchOperation(world, call);
        }
      }
    },
    expire: (share) => expire(world, memory, share),
  };
  return world;
}

const noLog: Log = { debug() {}, info() {}, warning() {}, error() {}, with: () => noLog };

function tracingLog(note: World['note']): Log {
  const line = (event: string, fields?: object) =>
    note(() => `  log ${event} ${JSON.stringify(fields ?? {})}`);
  const log: Log = {
    debug: line,
    info: line,
    warning: line,
    error: (event, error, fields) => line(event, { ...fields, error: String(error) }),
    with: () => log,
  };
  return log;
}

function namesOf(plan: Plan): ReadonlyMap<string, string> {
  return new Map(jobsOf(plan).map((job) => [idOf(job), job.jobKey]));
}

function inWords(record: ExportRecord | undefined): string {
  if (!record) {
    return 'nothing';
  }
  const facts = [
    record.state === 'WAITING' ? record.waitingFor : undefined,
    'unanswered' in record && record.unanswered > 0 ? `unanswered ${record.unanswered}` : undefined,
    'searches' in record && record.searches ? `searched` : undefined,
    'generation' in record && record.generation > 1 ? `g${record.generation}` : undefined,
    record.cancelRequestedAt ? 'cancel' : undefined,
    'dueAt' in record && record.dueAt ? `due ${record.dueAt.toISOString().slice(11, 19)}` : undefined,
    record.unpublishedEvents ? `${record.unpublishedEvents.length} events pending` : undefined,
    record.alsoBatches ? `also ${record.alsoBatches.join()}` : undefined,
  ];
  return `${record.state} (${['r' + record.revision, ...facts.filter((fact) => fact !== undefined)].join(', ')})`;
}

function batchInWords({ state, published, jobs, existing, counts, cancelRequestedAt }: Batch): string {
  const facts = [
    `${published} of ${jobs} published`,
    existing ? `${existing} existing` : undefined,
    counts && JSON.stringify(counts),
    cancelRequestedAt && 'canceled',
  ];
  return `${state} (${facts.filter((fact) => fact !== undefined).join(', ')})`;
}

/** What Earth Engine refuses: some jobs always, and repeated ids if the plan has it so. */
function refusalOf(
  { harness, plan, dice }: World,
  request: SimulatorRequest,
  call: CallKind,
): SimulatedFault | undefined {
  if (call !== 'export') {
    return undefined;
  }
  const { requestId, description } = JSON.parse(new TextDecoder().decode(request.body)) as {
    requestId: string;
    description: string;
  };
  const kind = kindOfDescription(description);
  if (kind === 'refused' || (kind === 'moody' && dice.chance(0.4))) {
    return { kind: 'status', status: 400, message: 'Invalid argument: frames.' };
  }
  const wasStarted = harness.simulator.exportCalls.some(
    (earlier) => earlier.requestId === requestId && earlier.outcome === 'STARTED',
  );
  return plan.refusesReplays && wasStarted
    ? {
        kind: 'status',
        status: 400,
        message: 'A different Operation was already started with the given request_id',
      }
    : undefined;
}

function expire({ facts, timeline, dice, note, nameOf }: World, memory: MemoryStore, share: number): void {
  const isExpired = (document: { readonly expireAt?: Date | undefined } | ExportRecord): boolean =>
    'expireAt' in document &&
    document.expireAt !== undefined &&
    document.expireAt.getTime() <= timeline.nowMs();
  for (const [id, record] of facts.records) {
    if (!isExpired(record)) {
      continue;
    }
    if (dice.chance(share)) {
      facts.lostRequests.add(id);
    }
    if (dice.chance(share)) {
      memory.remove(`videoExports/${id}`);
      facts.records.delete(id);
      facts.expiredRecords.set(id, record);
      facts.expiredMs.set(id, timeline.nowMs());
      note(() => `expired ${nameOf(id)}`);
    }
  }
  for (const [id, batch] of facts.batches) {
    if (isExpired(batch) && dice.chance(share)) {
      memory.remove(`videoExportBatches/${id}`);
      facts.batches.delete(id);
      note(() => `expired batch ${id}`);
    }
  }
}
