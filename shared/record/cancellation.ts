import { later, SECOND_MS } from '../clock.ts';
import type { Job } from '../model/job.ts';
import type {
  CancelReason,
  ExportRecord,
  RecordError,
  RecordIn,
  RecordInSubmission,
} from '../model/record.ts';
import { carry, grow, shortNote } from './carry.ts';
import { DEFAULT_PRIORITY, enqueue, type JobSource } from './new-records.ts';
import type { Policy } from './policy.ts';

/**
 * The clocks of Pub/Sub and of a process of the service differ by less. If the bound is too long, a late cancellation may end
 * a retry that began seconds after it: the retry shows as CANCELLED, and costs nothing. If it is too short, a job that
 * someone cancels right after its retry keeps running unnoticed.
 */
export const CLOCKS_DIFFER_MS = 30 * SECOND_MS;

/**
 * Whether a cancellation that was published at `requestedAt` applies to a record: only if the record's message was published
 * by then too. A retry has no message, and its `createdAt` is by another clock.
 */
export const existedAt = (
  { publishedAt, createdAt }: Pick<ExportRecord, 'publishedAt' | 'createdAt'>,
  requestedAt: Date,
): boolean =>
  publishedAt === undefined ? createdAt <= later(requestedAt, CLOCKS_DIFFER_MS) : publishedAt <= requestedAt;

/** A job that is canceled before its message arrives: when the message does arrive, nothing is sent (rule 8). */
export function cancelUnseen(
  job: { recordId: string; project: string; jobKey: string; attempt: number },
  messageId: string,
  policy: Policy,
  now: Date,
): RecordIn<'CANCELLED'> {
  return {
    state: 'CANCELLED',
    requestId: job.recordId,
    project: job.project,
    jobKey: job.jobKey,
    attempt: job.attempt,
    labels: {},
    messageId,
    priority: DEFAULT_PRIORITY,
    revision: 1,
    submissions: 0,
    cancelRequestedAt: now,
    error: cancelledError,
    createdAt: now,
    updatedAt: now,
    finishedAt: now,
    expireAt: later(now, policy.retentionMs),
    history: [{ state: 'CANCELLED', at: now, note: 'canceled before its message arrived' }],
  };
}

/** A job whose batch was canceled before its message arrived. It has its request, so that it can be retried. */
export function cancelOnArrival(
  job: Job,
  source: JobSource,
  requestedAt: Date,
  policy: Policy,
  now: Date,
): RecordIn<'CANCELLED'> {
  const unsent = { ...enqueue(job, source, 'QUEUE', now, now), cancelRequestedAt: requestedAt };
  const note = 'its batch was canceled before its message arrived';
  return {
    ...cancelUnsent(unsent, policy, now),
    revision: unsent.revision,
    history: [{ state: 'CANCELLED', at: now, note }],
  };
}

const cancelledError: RecordError = {
  code: 1,
  status: 'CANCELLED',
  message: 'Canceled before Earth Engine received it.',
  retryable: true,
};

/** Notes a requested cancellation. The process that writes this, or finds the operation, cancels it at Earth Engine. */
export function requestCancellation(
  record: ExportRecord,
  now: Date,
  requestedAt = now,
  cancelReason?: CancelReason,
): ExportRecord {
  return {
    ...record,
    cancelRequestedAt: requestedAt,
    ...(cancelReason === undefined ? {} : { cancelReason }),
    revision: record.revision + 1,
    updatedAt: now,
    history: grow(record.history, {
      state: record.state,
      at: now,
      note: cancelReason ? shortNote(cancelReason.message) : 'cancellation requested',
    }),
    // Due at once, and not behind a closed gate or a budget: the record is only searched for.
    ...(record.state === 'WAITING' ? { waitingFor: 'ADOPTION', heldBy: undefined, dueAt: now } : {}),
  };
}

/** Ends a canceled record for which no operation exists or can still start (rule 8). */
export function cancelUnsent(record: RecordInSubmission, policy: Policy, now: Date): RecordIn<'CANCELLED'> {
  return {
    ...carry(record, now, { state: 'CANCELLED' }),
    cancelRequestedAt: record.cancelRequestedAt ?? now,
    state: 'CANCELLED',
    error: cancelledError,
    finishedAt: now,
    expireAt: later(now, policy.retentionMs),
  };
}
