import { HOUR_MS, MINUTE_MS, SECOND_MS } from '../../shared/clock.ts';
import type { ExportRecord } from '../../shared/model/record.ts';
import { isReadable } from '../../shared/store/store.ts';
import { allRecords, type CancellationFact, type Facts, isNamed } from './facts.ts';
import { type FuzzJob, idOf, type JobKind } from './jobs.ts';
import { jobsOf } from './plan.ts';
import { operationsOf, watchCounts } from './watch.ts';
import type { World } from './world.ts';

/** What must hold once everything has come to an end. */
export async function judge(world: World): Promise<void> {
  const records = allRecords(world.facts);
  const jobs = new Map(jobsOf(world.plan).map((job) => [nameOf(job), job]));
  for (const [id, record] of records) {
    judgeRecord(world, id, record, jobs.get(nameOf(record)));
  }
  judgeJobs(world, records);
  judgeBytes(world);
  judgeBatches(world);
  await judgeRejections(world);
}

const nameOf = ({ project, jobKey }: Pick<ExportRecord, 'project' | 'jobKey'>): string =>
  `${project} ${jobKey}`;

const ends: Readonly<Record<JobKind, readonly ExportRecord['state'][]>> = {
  good: ['SUCCEEDED'],
  stubborn: ['SUCCEEDED'],
  failing: ['FAILED'],
  refused: ['REJECTED'],
  moody: ['SUCCEEDED', 'REJECTED'],
};

function judgeRecord(world: World, id: string, record: ExportRecord, job: FuzzJob | undefined): void {
  const { facts } = world;
  const name = world.nameOf(id);
  const operations = operationsOf(world, id);
  const operation = 'operation' in record ? record.operation : undefined;
  const own = operations.find((each) => each.name === operation);
  if (own === undefined ? operations.length > 0 : own.requestId !== record.requestId) {
    const ids = operations.map(({ requestId, state }) => `${requestId} ${state}`).join();
    world.violated(
      'unrecorded operation',
      `${name} is ${record.state} ${record.requestId}, Earth Engine has ${ids}`,
    );
  }
  if (own && own.state !== record.state) {
    world.violated('untrue record', `${name} is ${record.state}, Earth Engine has ${own.state}`);
  }
  if (record.extraOperations) {
    world.violated('duplicate operation', `${name} has extra operations`);
  }
  const mayBeCanceled = facts.cancellations.some((fact) => mayCancel(world, fact, id, record));
  if (record.cancelRequestedAt !== undefined && !mayBeCanceled) {
    world.violated('canceled without reason', `${name} is ${record.state}`);
  }
  const isExpected =
    (record.state === 'CANCELLED' && mayBeCanceled) ||
    (record.state === 'REJECTED' && facts.damaged.has(id)) ||
    (record.state === 'LOST' && isPolledRarely(world)) ||
    (job !== undefined && ends[job.kind].includes(record.state));
  if (!isExpected) {
    const error = 'error' in record ? record.error?.message : undefined;
    world.violated('wrong end', `${name} is ${record.state}: ${error}`);
  }
  if (!eventsOf(world, 'recordId', id).some(({ state }) => state === record.state)) {
    world.violated('no event', `${name} is ${record.state}`);
  }
  for (const fact of facts.cancellations) {
    judgeCancellation(world, fact, id, record, job);
  }
}

/** With two polls a day, nothing can be proven, and no cancellation repeated, within hours. */
const isPolledRarely = ({ plan }: World): boolean => plan.rounds.some(({ passesMs }) => passesMs.before > 0);

/** A cancellation never ends what was started again on purpose after it was published. */
function mayCancel(
  { plan, facts }: World,
  fact: CancellationFact,
  id: string,
  record: ExportRecord,
): boolean {
  if (!isNamed(fact, id, record)) {
    return false;
  }
  const isMadeByIt = record.contentHash === undefined;
  const wasThere = Math.min(...existingSince(facts, id, record, -CLOCKS_DIFFER_MS)) <= fact.publishedMs;
  return isMadeByIt || wasThere || !plan.features.has('late-cancellations');
}

/** The times from which on a job existed: those of its messages, and that of its retry, by another clock. */
function existingSince(
  { publishedMs, createdMs }: Facts,
  id: string,
  { retryOf, createdAt }: ExportRecord,
  skewMs: number,
): number[] {
  // The commit can come long after the time that the record has.
  const times = [createdMs.get(id) ?? 0, createdAt.getTime()];
  const retriedMs = retryOf === undefined ? [] : [(skewMs < 0 ? Math.min : Math.max)(...times) + skewMs];
  return [...(publishedMs.get(id) ?? []), ...retriedMs];
}

/** The difference of clocks that the service tolerates, and by how much a process's clock is off. */
const CLOCKS_DIFFER_MS = 45 * SECOND_MS;

/** What existed when a cancellation was published, and had not ended when it was handled, does not run for long after that. */
function judgeCancellation(
  world: World,
  fact: CancellationFact,
  id: string,
  record: ExportRecord,
  job: FuzzJob | undefined,
): void {
  const { facts, plan } = world;
  const { createdMs, endedMs, calmMs } = facts;
  const { handledMs, publishedMs } = fact;
  const end = operationsOf(world, id).at(0)?.endTime;
  if (
    handledMs === undefined ||
    end === undefined ||
    job?.kind === 'stubborn' ||
    isPolledRarely(world) ||
    !isNamed(fact, id, record)
  ) {
    return;
  }
  // A job that was published before and after the cancellation may be canceled, or not: it depends on what arrives first.
  const isMeant = Math.max(...existingSince(facts, id, record, CLOCKS_DIFFER_MS)) <= publishedMs;
  const { batchId } = fact.cancellation;
  // Of a batch, also jobs whose messages are still on their way are canceled, unless the batch was retried meanwhile.
  const retriedMs = facts.batches.get(batchId ?? '')?.ignoresCancellationsUntil?.getTime() ?? 0;
  const includesLate = batchId !== undefined && retriedMs < publishedMs - CLOCKS_DIFFER_MS;
  const wasSeen = includesLate || (createdMs.get(id) ?? Infinity) <= handledMs;
  const wasOpen = (endedMs.get(id) ?? Infinity) > handledMs;
  const isOwn = batchId === undefined || record.batchId === batchId;
  const calm = calmMs.find((ms) => ms >= handledMs) ?? handledMs;
  const overdueMs = Date.parse(end) - calm;
  const patienceMs = plan.features.has('prompt-cancellations') ? PROMPT_MS : PATIENCE_MS;
  if (isMeant && wasSeen && wasOpen && isOwn && overdueMs > patienceMs) {
    world.violated(
      'cancellation ignored',
      `${world.nameOf(id)} ended ${Math.round(overdueMs / MINUTE_MS)} minutes after faults stopped`,
    );
  }
}

/** The poller checks each operation once an hour at least. */
const PATIENCE_MS = HOUR_MS + 15 * MINUTE_MS;
/** T, after which a late request has arrived, and a few polls. */
const PROMPT_MS = 15 * MINUTE_MS;

/** Every job that was published has a record. */
function judgeJobs(world: World, records: ReadonlyMap<string, ExportRecord>): void {
  const { published, manifests, cancellations } = world.facts;
  const wanted = new Map(published);
  for (const [batchId, { jobs }] of manifests) {
    if (!cancellations.some(({ cancellation }) => cancellation.batchId === batchId)) {
      jobs.forEach((job) => wanted.set(idOf(job), job));
    }
  }
  for (const [id, { jobKey }] of wanted) {
    if (!records.has(id)) {
      world.violated('job lost', jobKey);
    }
  }
}

function judgeBytes(world: World): void {
  const calls = Map.groupBy(world.harness.simulator.exportCalls, ({ requestId }) => requestId ?? '');
  for (const [requestId, same] of calls) {
    const hashes = new Set(same.map(({ sha256 }) => sha256));
    if (hashes.size > 1) {
      world.violated('different bytes', `${world.nameOf(requestId)}: ${hashes.size} in ${same.length} calls`);
    }
  }
}

function judgeBatches(world: World): void {
  const { batches } = world.facts;
  for (const [id, batch] of batches) {
    if (world.plan.features.has('final-counts')) {
      watchCounts(world, id, batch);
    }
    const counts = JSON.stringify(batch.counts);
    if (!eventsOf(world, 'batchId', id).some((event) => event.kind === 'BATCH' && event.counts === counts)) {
      world.violated('no event', `batch ${id} is ${batch.state} ${counts}`);
    }
  }
}

/**
 * Only nonsense is rejected, and the cancellation of a record that does not exist. The originals of nonsense are kept.
 */
async function judgeRejections({ harness, facts, violated }: World): Promise<void> {
  const found = await harness.store.rejectedMessages.find({ where: [], orderBy: [] }, { limit: 100 });
  for (const { id, value } of found.filter(isReadable)) {
    if (value.source !== 'cancelExports' && !facts.nonsense.includes(id)) {
      violated('message rejected', `${id}: ${value.reason} ${JSON.stringify(value.issues)}`);
    }
  }
  const kept = new Set(
    harness.publisher.published
      .filter(({ topic }) => topic === harness.config.topics.deadLetters)
      .map(({ message }) => message.attributes['rejectedMessageId']),
  );
  for (const id of facts.nonsense) {
    if (!found.some((rejected) => rejected.id === id) || !kept.has(id)) {
      violated('original lost', id);
    }
  }
}

interface PublishedEvent {
  readonly kind: string | undefined;
  readonly state: string | undefined;
  readonly counts: string | undefined;
}

function eventsOf({ harness }: World, attribute: 'recordId' | 'batchId', id: string): PublishedEvent[] {
  return harness.publisher.published
    .filter(
      ({ topic, message }) => topic === harness.config.topics.events && message.attributes[attribute] === id,
    )
    .map(({ message }) => {
      const { counts } = JSON.parse(new TextDecoder().decode(message.data)) as { counts?: object };
      const { kind, state } = message.attributes;
      return { kind, state, counts: JSON.stringify(counts) };
    });
}
