import type { ExportCall, TrueOperation } from '../../infra/local/simulator/index.ts';
import { parseRequestId } from '../../shared/model/ids.ts';
import type { RejectedMessage } from '../../shared/model/rejected-message.ts';
import { type ExportRecord, isTerminal } from '../../shared/model/record.ts';
import type { Batch } from '../../shared/model/batch.ts';
import { batchProblems, type BatchWork } from './batches.ts';
import type { PlannedMessage } from './messages.ts';

export type PublishedMessage = PlannedMessage & { readonly messageId: string };

/** What was requested, what is recorded, and what Earth Engine did. */
export interface Outcome {
  readonly published: readonly PublishedMessage[];
  readonly records: ReadonlyMap<string, ExportRecord>;
  readonly work: BatchWork;
  readonly batches: ReadonlyMap<string, Batch>;
  /** Records that cannot be parsed. */
  readonly unreadable: readonly string[];
  /** SHA-256 of each record's stored request, hex. */
  readonly requestHashes: ReadonlyMap<string, string>;
  readonly rejected: ReadonlyMap<string, RejectedMessage>;
  readonly operations: readonly TrueOperation[];
  readonly exportCalls: readonly ExportCall[];
  /** Ids of messages that Pub/Sub does not redeliver. */
  readonly acknowledged: ReadonlySet<string>;
  /** `{recordId}:{state}` of every event that was published. */
  readonly publishedStates: ReadonlySet<string>;
  /** Messages that Pub/Sub forwarded to the dead-letter topic. */
  readonly deadLetters: number;
}

/** What has not finished yet, which is not wrong while there is time. */
export function openEnds(
  outcome: Pick<
    Outcome,
    'published' | 'records' | 'operations' | 'acknowledged' | 'work' | 'batches' | 'exportCalls'
  >,
): string[] {
  const { published, records, operations, acknowledged, work, batches, exportCalls } = outcome;
  const jobs = jobsOf({ published, work });
  const ended = new Set(['SUCCEEDED', 'FAILED', 'CANCELLED']);
  return [
    ...published
      .filter(({ messageId }) => !acknowledged.has(messageId))
      .map(({ messageId }) => `message ${messageId} is not acknowledged`),
    ...[...jobs].filter((id) => !records.has(id)).map((id) => `${id} has no record`),
    ...[...records]
      .filter(([, record]) => !isTerminal(record))
      .map(([id, record]) => `${id} is ${record.state}: ${JSON.stringify(record)}`),
    ...[...records]
      .filter(([, record]) => record.unpublishedEvents !== undefined)
      .map(([id]) => `${id} has a pending event`),
    ...operations
      .filter(({ state }) => !ended.has(state))
      .map(({ name, state }) => `${name} is ${state} at Earth Engine`),
    ...batchProblems(work, records, batches, exportCalls),
  ];
}

/** The records that there must be. */
const jobsOf = ({ published, work }: Pick<Outcome, 'published' | 'work'>): ReadonlySet<string> =>
  new Set([...published.flatMap(({ recordId }) => recordId ?? []), ...work.recordIds]);

/** Every broken promise of the service, in words. */
export function differences(outcome: Outcome): string[] {
  return [
    ...openEnds(outcome),
    ...outcome.unreadable.map((id) => `${id} cannot be read`),
    ...duplicates(outcome),
    ...untrueRecords(outcome),
    ...changedBytes(outcome),
    ...wrongRejections(outcome),
    ...missingEvents(outcome),
    ...(outcome.deadLetters > 0 ? [`Pub/Sub gave up on ${outcome.deadLetters} messages`] : []),
  ];
}

/** Exactly one operation per job, as counted at Earth Engine. */
function duplicates({ published, work, operations }: Outcome): string[] {
  const jobs = jobsOf({ published, work });
  const byJob = Map.groupBy(
    operations,
    ({ requestId }) => parseRequestId(requestId ?? '')?.recordId ?? 'no job',
  );
  return [
    ...[...jobs].flatMap((id) => {
      const own = byJob.get(id) ?? [];
      return own.length === 1 || (own.length === 0 && work.canceled.has(id))
        ? []
        : [`${id} has ${own.length} operations: ${own.map(({ requestId }) => requestId).join(', ')}`];
    }),
    ...[...byJob.keys()].filter((id) => !jobs.has(id)).map((id) => `an operation for ${id}`),
  ];
}

/** Each record has the right operation, and the state of that operation. */
function untrueRecords({ published, work, records, operations }: Outcome): string[] {
  const jobs = jobsOf({ published, work });
  const byName = new Map(operations.map((operation) => [operation.name, operation]));
  return [...records].flatMap(([id, record]) => {
    if (!jobs.has(id)) {
      return [`${id} is a record without a job`];
    }
    const operation = 'operation' in record && record.operation ? byName.get(record.operation) : undefined;
    if (operation === undefined && record.state === 'CANCELLED' && work.canceled.has(id)) {
      return [];
    }
    if (operation === undefined) {
      return [`${id} is ${record.state} and has no operation: ${JSON.stringify(record.history)}`];
    }
    return [
      operation.state === record.state
        ? undefined
        : `${id} is ${record.state}, its operation ${operation.state}`,
      operation.requestId === record.requestId
        ? undefined
        : `${id} has ${record.requestId}, its operation ${operation.requestId}`,
      record.extraOperations === undefined ? undefined : `${id} has extra operations`,
    ].filter((difference) => difference !== undefined);
  });
}

/** All sends with one requestId have the same bytes, which are those that the record stores. */
function changedBytes({ exportCalls, records, requestHashes, work }: Outcome): string[] {
  const sent = Map.groupBy(exportCalls, ({ requestId }) => requestId ?? 'no requestId');
  return [
    ...[...sent].flatMap(([requestId, calls]) => {
      const kinds = new Set(calls.map(({ sha256 }) => sha256)).size;
      return kinds === 1 ? [] : [`${requestId} was sent with ${kinds} different contents`];
    }),
    ...[...records].flatMap(([id, { requestId }]) =>
      sent.get(requestId)?.[0]?.sha256 === requestHashes.get(id) ||
      (!sent.has(requestId) && work.canceled.has(id))
        ? []
        : [`${id} stores bytes that differ from those that were sent`],
    ),
  ];
}

/** Exactly the invalid messages are rejected, and one of two jobs with the same key. */
function wrongRejections({ published, rejected }: Outcome): string[] {
  const contested = Map.groupBy(
    published.filter(({ expected }) => expected === 'ONE_OF_TWO'),
    ({ recordId }) => recordId,
  );
  return [
    ...published.flatMap(({ messageId, expected }) => {
      const reason = rejected.get(messageId)?.reason;
      if (expected === 'REJECTED' && reason === undefined) {
        return [`message ${messageId} is not rejected`];
      }
      return expected === 'RECORD' && reason !== undefined ? [`job ${messageId} is rejected: ${reason}`] : [];
    }),
    ...[...contested].flatMap(([id, rivals]) => {
      const reasons = rivals.flatMap(({ messageId }) => rejected.get(messageId)?.reason ?? []);
      return reasons.join() === 'CONFLICT'
        ? []
        : [`two jobs have the id ${id}, and were rejected as [${reasons.join()}]`];
    }),
  ];
}

/** The final state of each job was published. */
const missingEvents = ({ records, publishedStates }: Outcome): string[] =>
  [...records].flatMap(([id, { state }]) =>
    publishedStates.has(`${id}:${state}`) ? [] : [`no event reports that ${id} is ${state}`],
  );
