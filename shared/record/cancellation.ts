import { later } from '../clock.ts';
import type { ExportRecord, RecordError, RecordIn, RecordInSubmission } from '../model/record.ts';
import { carry, grow } from './carry.ts';
import { DEFAULT_PRIORITY } from './new-records.ts';
import type { Policy } from './policy.ts';

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

const cancelledError: RecordError = {
  code: 1,
  status: 'CANCELLED',
  message: 'Canceled before Earth Engine received it.',
  retryable: true,
};

/** Notes a requested cancellation. The process that writes this, or finds the operation, cancels it at Earth Engine. */
export function requestCancellation(record: ExportRecord, now: Date): ExportRecord {
  return {
    ...record,
    cancelRequestedAt: now,
    revision: record.revision + 1,
    updatedAt: now,
    history: grow(record.history, { state: record.state, at: now, note: 'cancellation requested' }),
    // Due at once, and not behind a closed gate: the record is only searched for.
    ...(record.state === 'WAITING' ? { waitingFor: 'ADOPTION', dueAt: now } : {}),
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
