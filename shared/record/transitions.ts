import { HOUR_MS, later } from '../clock.ts';
import {
  type ActiveRecord,
  type ExportRecord,
  isQueueReason,
  type RecordError,
  type RecordIn,
  type RecordInSubmission,
  type Searches,
  type SubmittingRecord,
  type WaitingFor,
  type WaitingRecord,
} from '../model/record.ts';
import { carry, carryProtocol, grow, shortNote } from './carry.ts';
import { backoffMs, type Moment, type Policy } from './policy.ts';
import {
  afterEmptySearch,
  type EmptySearch,
  isProvenAbsent,
  lastSendEndedAt,
  secondSearchAt,
} from './proof.ts';
import { quotaRetryAt } from './quota.ts';

/**
 * The transitions that this service decides; those that follow what Earth Engine reports are in `observe.ts`. Each is a
 * pure function of the record that was read and the moment; the write is conditioned on the version that was read
 * (`records.ts`).
 */

/**
 * Claims a record again, to send it or to end it. A claim that ran out has an unanswered send by definition (rule 4),
 * and sends by another account count as unanswered (rule 11). Both restart the count of searches, with the search that
 * was just made as the first.
 *
 * Earth Engine does not recognize another account's request as a duplicate. So the record keeps that account, and
 * nothing is sent for it, until it is proven that none of that account's sends started an operation.
 */
export function claimAgain(
  record: RecordInSubmission,
  by: { token: string; serviceAccount: string | undefined; search: EmptySearch | undefined },
  policy: Policy,
  now: Date,
): SubmittingRecord {
  const ranOut = record.state === 'SUBMITTING';
  const otherAccount = sentByOtherAccount(record, by.serviceAccount);
  const moreUnanswered = ranOut || (otherAccount && record.unanswered === 0);
  const unanswered = record.unanswered + (moreUnanswered ? 1 : 0);
  const known = moreUnanswered ? undefined : record.searches;
  const searches = by.search ? afterEmptySearch(known, by.search) : known;
  const takesOver = otherAccount && isProvenAbsent({ unanswered, searches }, policy);
  const leaseUntil = later(now, policy.leaseMs);
  return {
    ...carry(record, now, { state: 'SUBMITTING', note: ranOut ? 'its claim ran out' : undefined }),
    ...carryProtocol(record),
    state: 'SUBMITTING',
    serviceAccount: otherAccount && !takesOver ? record.serviceAccount : by.serviceAccount,
    sentUntil: lastSendEndedAt(record),
    unanswered: takesOver ? 0 : unanswered,
    unsettledSince: takesOver ? undefined : record.unsettledSince,
    searches: takesOver ? undefined : searches,
    claim: { token: by.token, leaseUntil },
    dueAt: leaseUntil,
  };
}

/** Whether another account sent it, or may have: Earth Engine recognizes duplicates only per account (rule 11). */
export function sentByOtherAccount(record: RecordInSubmission, serviceAccount: string | undefined): boolean {
  // A holder that died did not count its submission.
  const wasSent = record.submissions > 0 || record.unanswered > 0 || record.state === 'SUBMITTING';
  return wasSent && record.serviceAccount !== serviceAccount;
}

/**
 * Whether nothing may be sent for a record, because it is being canceled or rejected, or because another account may
 * have sent it. It is only searched for, and ends or is sent once it is proven that no operation exists.
 */
export const isHeldBack = (record: RecordInSubmission, serviceAccount: string | undefined): boolean =>
  record.cancelRequestedAt !== undefined ||
  record.rejecting === true ||
  sentByOtherAccount(record, serviceAccount);

/** What the holder of a claim learned; written with its decision. */
export interface SendFindings {
  /** Calls of `video:export` since the claim was written. */
  readonly sends: number;
  readonly unanswered: number;
  readonly sentUntil: Date;
  readonly searches: Searches | undefined;
}

function withFindings(record: SubmittingRecord, findings: SendFindings) {
  return {
    submissions: record.submissions + findings.sends,
    unanswered: findings.unanswered,
    sentUntil: findings.sentUntil,
    searches: findings.searches,
  };
}

/** What is known when a claim begins. */
export const findingsOf = (record: SubmittingRecord): SendFindings => ({
  sends: 0,
  unanswered: record.unanswered,
  sentUntil: record.sentUntil ?? record.updatedAt,
  searches: record.searches,
});

export interface Wait {
  readonly waitingFor: WaitingFor;
  readonly error: RecordError;
  /** With `BUDGET`: the budget that holds the job. */
  readonly heldBy?: string;
  readonly retryAfterMs?: number | undefined;
  /** Rejects the record, with this error, as soon as no send can have started an operation. */
  readonly rejecting?: boolean;
  /** Skips the backoff: the record is handed over, or another process can continue at once. */
  readonly dueNow?: boolean;
}

/** Earth Engine cannot accept the job now, or it is unknown whether Earth Engine has it. */
export function wait(
  record: SubmittingRecord,
  findings: SendFindings,
  how: Wait,
  policy: Policy,
  moment: Moment,
): WaitingRecord {
  const { waitingFor, error } = how;
  const { now } = moment;
  const queueing = isQueueReason(waitingFor) || waitingFor === 'BUDGET';
  const outage = waitingFor === 'SERVICE' || waitingFor === 'PERMISSION';
  const rejecting = (how.rejecting ?? record.rejecting) || undefined;
  const isUnsettled = waitingFor === 'ADOPTION' || rejecting || record.cancelRequestedAt !== undefined;
  const next: WaitingRecord = {
    ...carry(record, now, { state: 'WAITING', note: shortNote(`${waitingFor}: ${error.message}`) }),
    ...carryProtocol(record),
    ...withFindings(record, findings),
    state: 'WAITING',
    // Nothing is sent for it any more, whatever the last attempt met: it must not wait behind a closed gate.
    waitingFor: rejecting || record.cancelRequestedAt !== undefined ? 'ADOPTION' : waitingFor,
    heldBy: how.heldBy,
    error,
    rejecting,
    waits: queueing || how.dueNow ? 0 : record.waits + 1,
    unsettledSince: isUnsettled ? (record.unsettledSince ?? now) : undefined,
    outageSince: outage ? (record.outageSince ?? now) : queueing ? undefined : record.outageSince,
    dueAt: now,
  };
  return { ...next, dueAt: how.dueNow ? now : waitUntil(next, record.waits, how, policy, moment) };
}

function waitUntil(next: WaitingRecord, waits: number, how: Wait, policy: Policy, moment: Moment): Date {
  // An operator must act: frequent retries would only fill logs and Earth Engine's audit log.
  const doublings = next.waitingFor === 'PERMISSION' ? Number.POSITIVE_INFINITY : waits;
  const retryAt =
    next.waitingFor === 'QUOTA'
      ? quotaRetryAt(policy, waits, moment)
      : later(moment.now, backoffMs(policy, doublings, how.retryAfterMs, moment.random));
  // The second search may not start earlier, and need not start later if nothing else is missing.
  const decides = next.searches && next.unanswered > 0 ? secondSearchAt(next.searches, policy) : undefined;
  if (decides === undefined || decides <= moment.now) {
    return retryAt;
  }
  const onlySearchMatters = next.rejecting === true || next.cancelRequestedAt !== undefined;
  return onlySearchMatters || decides < retryAt ? decides : retryAt;
}

/** Earth Engine refuses the job for good, or was unreachable for too long. Only if absence is proven (rule 7). */
export function reject(
  record: SubmittingRecord,
  findings: SendFindings,
  error: RecordError,
  policy: Policy,
  now: Date,
): RecordIn<'REJECTED'> {
  const { submissions } = withFindings(record, findings);
  return {
    ...carry(record, now, { state: 'REJECTED', note: shortNote(error.message) }),
    submissions,
    state: 'REJECTED',
    error,
    finishedAt: now,
    expireAt: later(now, policy.retentionMs),
  };
}

/** Whether the time for a proof is over. A first search that found nothing leaves time for the second, which decides. */
export function isUnsettledTooLong(
  { unsettledSince, searches }: WaitingRecord,
  policy: Policy,
  now: Date,
): boolean {
  return (
    unsettledSince !== undefined &&
    now >= later(unsettledSince, policy.submitDeadlineMs) &&
    (searches === undefined || now >= later(searches.firstEndedAt, 2 * policy.absenceMs))
  );
}

/** Whether Earth Engine started an operation stays unknown: nothing proved it in time, one way or the other (rule 7). */
export function loseTrack(
  record: SubmittingRecord,
  findings: SendFindings,
  problem: RecordError,
  policy: Policy,
  now: Date,
): RecordIn<'LOST'> {
  const { submissions } = withFindings(record, findings);
  const hours = Math.round(policy.submitDeadlineMs / HOUR_MS);
  const message =
    `Unknown outcome: for ${hours} hours, nothing proved whether Earth Engine started an operation. ` +
    `Look for a task of ${record.project} whose description ends with ${record.requestId}, and for a video at ` +
    `${record.destination}. Retry the job only if there is neither. The last problem: ${problem.message}`;
  return {
    ...carry(record, now, { state: 'LOST', note: 'outcome unknown' }),
    submissions,
    state: 'LOST',
    error: { code: 504, status: 'OUTCOME_UNKNOWN', message, retryable: true },
    finishedAt: now,
    expireAt: later(now, policy.retentionMs),
  };
}

/**
 * Gives up the requestId for the next one. Written together with the bytes that carry the new id, before they are sent
 * (rule 2). No operation of the old id can exist, so no send is unanswered any more.
 */
export function nextGeneration(
  record: SubmittingRecord,
  findings: SendFindings,
  next: { requestId: string; description: string },
  now: Date,
): SubmittingRecord {
  return {
    ...carry(record, now, {
      state: 'SUBMITTING',
      note: `${record.requestId} is used up; continues as ${next.requestId}`,
    }),
    ...carryProtocol(record),
    ...withFindings(record, findings),
    state: 'SUBMITTING',
    requestId: next.requestId,
    description: next.description,
    generation: record.generation + 1,
    unanswered: 0,
    searches: undefined,
    unsettledSince: undefined,
    claim: record.claim,
    dueAt: record.dueAt,
  };
}

/** Puts a job into the queue that no budget holds anymore. */
export function releaseHeld(record: WaitingRecord, now: Date): WaitingRecord {
  const { heldBy, error: _held, ...rest } = record;
  const note = shortNote(`released by the budget ${heldBy}`);
  return {
    ...rest,
    revision: record.revision + 1,
    updatedAt: now,
    history: grow(record.history, { state: 'WAITING', at: now, note }),
    waitingFor: 'QUEUE',
    dueAt: now,
  };
}

/**
 * Makes a record due at once: a write about it failed, and the next sweep may skip its operation (rule 12). A claim is
 * never made due before its lease ends: its holder may be sending.
 */
export function markDue(record: WaitingRecord | ActiveRecord, now: Date): ExportRecord {
  return { ...record, dueAt: now, revision: record.revision + 1, updatedAt: now };
}

/**
 * Makes a record due later, because working on it failed. Otherwise it would stay in front of other records; at the
 * head of its project's queue, it would be the record that probes the gate (rule 14).
 */
export function defer(
  record: RecordInSubmission | ActiveRecord,
  problem: string,
  dueAt: Date,
  now: Date,
): ExportRecord {
  const written = { dueAt, revision: record.revision + 1, updatedAt: now };
  if (record.state !== 'WAITING') {
    return { ...record, ...written };
  }
  const isQueued = isQueueReason(record.waitingFor);
  const error: RecordError = { code: 500, status: 'DEFERRED', message: problem, retryable: true };
  return {
    ...record,
    ...written,
    waitingFor: isQueued ? 'SERVICE' : record.waitingFor,
    // A record that is being rejected keeps its reason until the end.
    error: record.rejecting ? record.error : error,
  };
}
