import type { ExportCall, TrueOperation } from '../../infra/local/simulator/api.ts';
import { MINUTE_MS, SECOND_MS } from '../../shared/clock.ts';
import type { Batch } from '../../shared/model/batch.ts';
import { parseRequestId } from '../../shared/model/ids.ts';
import { type ExportRecord, isTerminal, terminalStates } from '../../shared/model/record.ts';
import { allRecords, batchIdsOf } from './facts.ts';
import { idOf } from './jobs.ts';
import type { World } from './world.ts';

/** What must hold at every moment: checked with each commit and with each operation. */

export const operationsOf = ({ harness }: World, recordId: string): TrueOperation[] =>
  harness.simulator
    .operations()
    .filter(({ requestId }) => parseRequestId(requestId ?? '')?.recordId === recordId);

/** One operation per record, and none for a record that has ended. */
export function watchOperation(world: World, { requestId, outcome }: ExportCall): void {
  if (outcome !== 'STARTED') {
    return;
  }
  const recordId = parseRequestId(requestId ?? '')?.recordId ?? '';
  const operations = operationsOf(world, recordId);
  if (operations.length > 1) {
    const ids = operations.map((operation) => `${operation.requestId} ${operation.state}`).join(', ');
    world.violated('duplicate operation', `${world.nameOf(recordId)}: ${ids}`);
  }
  const record = allRecords(world.facts).get(recordId);
  if (record === undefined || isTerminal(record)) {
    world.violated(
      'started after its end',
      `${world.nameOf(recordId)} is ${record?.state ?? 'not recorded'}`,
    );
  }
}

export function watchRecord(
  world: World,
  id: string,
  before: ExportRecord | undefined,
  after: ExportRecord,
): void {
  const name = world.nameOf(id);
  if (before && after.revision <= before.revision) {
    world.violated('revision', `${name}: ${before.revision} → ${after.revision}`);
  }
  if (before && isTerminal(before) && before.state !== after.state) {
    world.violated('changed after its end', `${name}: ${before.state} → ${after.state}`);
  }
  const operation = 'operation' in after ? after.operation : undefined;
  if (before && 'operation' in before && before.operation !== undefined && before.operation !== operation) {
    world.violated('operation replaced', `${name}: ${before.operation} → ${operation}`);
  }
  if (before === undefined && world.plan.features.has('canceled-batches')) {
    watchCanceledBatch(world, id, after);
  }
  if (isTerminal(after) && !(before && isTerminal(before))) {
    watchEnd(world, id, after);
  }
}

/** The record's end is Earth Engine's; without an operation there must be none. */
function watchEnd(world: World, id: string, record: ExportRecord): void {
  const operations = operationsOf(world, id);
  const operation = 'operation' in record ? record.operation : undefined;
  const own = operations.find(({ name }) => name === operation);
  if (operation === undefined && operations.length > 0) {
    const states = operations.map(({ state }) => state).join();
    world.violated(
      'unrecorded operation',
      `${world.nameOf(id)} is ${record.state}, Earth Engine has ${states}`,
    );
  }
  if (operation !== undefined && own?.state !== record.state) {
    world.violated('untrue record', `${world.nameOf(id)} is ${record.state}, Earth Engine has ${own?.state}`);
  }
}

/** What comes after its batch was canceled is canceled before anything is started. */
function watchCanceledBatch({ facts, violated, nameOf }: World, id: string, record: ExportRecord): void {
  const { batchId = '' } = record;
  const isCanceled = facts.batches.get(batchId)?.cancelRequestedAt !== undefined;
  const takenMs = facts.takenMs.get(id) ?? 0;
  const lastPublishedMs = Math.max(...(facts.publishedMs.get(id) ?? []));
  const wasCanceled = facts.cancellations.some(
    ({ cancellation, publishedMs, handledMs = Infinity }) =>
      cancellation.batchId === batchId && handledMs < takenMs && lastPublishedMs <= publishedMs,
  );
  if (isCanceled && wasCanceled && record.retryOf === undefined && record.state !== 'CANCELLED') {
    violated('started in a canceled batch', `${nameOf(id)} begins as ${record.state}`);
  }
}

export function watchBatch(world: World, id: string, before: Batch | undefined, after: Batch): void {
  const { facts, nameOf, plan } = world;
  const manifest = facts.manifests.get(id);
  if (manifest && after.cancelRequestedAt !== undefined && after.published < manifest.jobs.length) {
    facts.cutShort.add(id);
  }
  if (after.state !== 'FINISHED' || before?.state === 'FINISHED') {
    return;
  }
  const isWhole = after.cancelRequestedAt === undefined && !facts.cutShort.has(id);
  const expected = manifest && isWhole ? manifest.jobs : [];
  const known = allRecords(facts);
  const mustHaveEnded = plan.features.has('existing-jobs')
    ? new Set(expected.map((job) => idOf(job)))
    : new Set();
  const open = [...facts.records]
    .filter(([recordId, record]) => isOf(world, record, id) || mustHaveEnded.has(recordId))
    .filter(([, record]) => !isTerminal(record))
    .filter(([recordId, record]) => !isLateRetry(world, recordId, record))
    .map(([recordId, { state }]) => `${nameOf(recordId)} is ${state}`);
  const missing = expected
    .filter((job) => !known.has(idOf(job)))
    .map(({ jobKey }) => `${jobKey} has no record`);
  if (open.length + missing.length > 0) {
    world.violated('batch finished early', `${id}: ${[...open, ...missing].join(', ')}`);
  }
  watchCounts(world, id, after);
}

const RETRY_GIVES_UP_MS = 5 * SECOND_MS;

/** A retry whose commit came late, after its process gave up on it: the next poll sets its batch back to RUNNING (rule 13). */
const isLateRetry = (
  { facts, harness }: World,
  id: string,
  { retryOf, createdAt }: ExportRecord,
): boolean => {
  const createdMs = facts.createdMs.get(id) ?? 0;
  const isYoung = harness.clock.now().getTime() - createdMs < 2 * MINUTE_MS;
  return retryOf !== undefined && isYoung && createdMs - createdAt.getTime() > RETRY_GIVES_UP_MS;
};

/** A finished batch counts its records as they are. What was deleted before the end cannot be counted. */
export function watchCounts(world: World, id: string, { counts = {}, finishedAt }: Batch): void {
  const { records, expiredRecords, expiredMs } = world.facts;
  const actual = new Map<string, number>();
  for (const [recordId, record] of [...records, ...expiredRecords]) {
    if (!isOf(world, record, id)) {
      continue;
    }
    if ((expiredMs.get(recordId) ?? Infinity) <= (finishedAt?.getTime() ?? 0)) {
      return;
    }
    actual.set(record.state, (actual.get(record.state) ?? 0) + 1);
  }
  const inWords = (states: ReadonlyMap<string, number>) =>
    terminalStates
      .flatMap((state) => (states.has(state) ? [`${states.get(state)} ${state}`] : []))
      .join(', ');
  const [counted, found] = [inWords(new Map(Object.entries(counts))), inWords(actual)];
  if (counted !== found) {
    world.violated(
      'batch counts',
      `${id} counts ${counted || 'nothing'}, its records are ${found || 'none'}`,
    );
  }
}

/** Whether a record counts for a batch: its own, or every one that has it. */
const isOf = ({ plan }: World, record: ExportRecord, id: string): boolean =>
  plan.features.has('shared-jobs') ? batchIdsOf(record).includes(id) : record.batchId === id;
