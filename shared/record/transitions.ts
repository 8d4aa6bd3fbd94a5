import { later } from '../clock.ts';
import type { Job } from '../model/job.ts';
import { afterEmptySearch, type EmptySearch, isProvenAbsent, secondSearchAt } from './proof.ts';
import { truncate } from '../text.ts';
import { backoffMs, type Moment, type Policy } from './policy.ts';
import {
  type ActiveRecord,
  type ExportRecord,
  type RecordError,
  type RecordIn,
  type Searches,
  type SubmittingRecord,
  type UnsettledRecord,
  type WaitingFor,
  type WaitingRecord,
} from '../model/record.ts';

/**
 * Every edge that we decide; what Earth Engine says of an operation is in `observe.ts`. Each is a pure function of what
 * was read and the moment; the write that follows is conditioned on what was read (`write.ts`).
 */

const MAX_HISTORY = 50;

/** The fields that every state has, with the write counted and the history grown where there is something to tell. */
export function carry(record: ExportRecord, now: Date, entry?: { state: string; note?: string | undefined }) {
  return {
    requestId: record.requestId,
    project: record.project,
    jobKey: record.jobKey,
    attempt: record.attempt,
    batchId: record.batchId,
    alsoBatches: record.alsoBatches,
    labels: record.labels,
    // Only a job cancelled before its message came lacks these three, and it goes nowhere.
    contentHash: record.contentHash ?? '',
    description: record.description ?? '',
    destination: record.destination ?? '',
    messageId: record.messageId,
    priority: record.priority,
    workloadTag: record.workloadTag,
    revision: record.revision + 1,
    submissions: record.submissions,
    serviceAccount: record.serviceAccount,
    retryOf: record.retryOf,
    cancelRequestedAt: record.cancelRequestedAt,
    extraOperations: record.extraOperations,
    unpublishedEvents: record.unpublishedEvents,
    createdAt: record.createdAt,
    submittedAt: record.submittedAt,
    updatedAt: now,
    history: entry ? grow(record.history, { ...entry, at: now }) : record.history,
  };
}

type History = ExportRecord['history'];

/** The beginning is kept, since it says where the job came from; what is cut is the middle. */
export function grow(history: History, entry: History[number]): History {
  const grown = [...history, entry];
  return grown.length <= MAX_HISTORY ? grown : [...grown.slice(0, 5), ...grown.slice(-(MAX_HISTORY - 5))];
}

export interface JobSource {
  readonly requestId: string;
  /** With the marker: as EE will have it. */
  readonly description: string;
  readonly messageId: string;
  readonly serviceAccount?: string | undefined;
  readonly retryOf?: string | undefined;
}

function initialFields(job: Job, source: JobSource, now: Date, state: string, note?: string) {
  return {
    requestId: source.requestId,
    project: job.project,
    jobKey: job.jobKey,
    attempt: job.attempt,
    batchId: job.batchId,
    labels: { ...job.labels },
    contentHash: job.contentHash,
    messageId: source.messageId,
    description: source.description,
    destination: job.destination,
    priority: job.request.priority ?? DEFAULT_PRIORITY,
    workloadTag: job.request.workloadTag,
    retryOf: source.retryOf,
    revision: 1,
    submissions: 0,
    generation: 1,
    unanswered: 0,
    waits: 0,
    createdAt: now,
    updatedAt: now,
    history: [{ state, at: now, note }],
  };
}

/** EE's own default (projects.video.export, `priority`): what orders our queue where the job names none. */
const DEFAULT_PRIORITY = 100;

/** A job becomes a record, and whoever made it may send. */
export function claim(
  job: Job,
  source: JobSource,
  token: string,
  policy: Policy,
  now: Date,
): SubmittingRecord {
  const leaseUntil = later(now, policy.leaseMs);
  return {
    ...initialFields(job, source, now, 'SUBMITTING'),
    state: 'SUBMITTING',
    serviceAccount: source.serviceAccount,
    claim: { token, leaseUntil },
    dueAt: leaseUntil,
  };
}

/** A job becomes a record that waits its turn, since EE takes no more for now or others wait already. */
export function enqueue(
  job: Job,
  source: JobSource,
  waitingFor: 'QUEUE' | 'RATE',
  dueAt: Date,
  now: Date,
): WaitingRecord {
  return {
    ...initialFields(job, source, now, 'WAITING', 'others wait before it'),
    state: 'WAITING',
    waitingFor,
    dueAt,
  };
}

/** A job becomes a record that waits for an outage to end, which was seen before anything was sent. */
export function enqueueInOutage(
  job: Job,
  source: JobSource,
  error: RecordError,
  dueAt: Date,
  now: Date,
): WaitingRecord {
  return {
    ...initialFields(job, source, now, 'WAITING', truncate(`SERVICE: ${error.message}`, 200)),
    state: 'WAITING',
    waitingFor: 'SERVICE',
    error,
    outageSince: now,
    dueAt,
  };
}

/** A job that was cancelled before its message came: the claim will find it and send nothing (rule 8). */
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
    history: [{ state: 'CANCELLED', at: now, note: 'cancelled before its message came' }],
  };
}

const cancelledError: RecordError = {
  code: 1,
  status: 'CANCELLED',
  message: 'Cancelled before Earth Engine had it.',
  retryable: true,
};

/**
 * Takes a record over to send it again, or to decide that nothing is sent. What the last holder left is counted: a claim
 * that ran out has an unanswered send by definition (rule 4), and what another account sent counts as unanswered (rule 11).
 * Both restart the count of searches, with the one that was just made as the first.
 *
 * EE would not know another account's send again, so the record stays that account's, and nothing is sent for it, until it
 * is proven that none of its sends started an operation.
 */
export function claimAgain(
  record: UnsettledRecord,
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
    ...protocolOf(record),
    state: 'SUBMITTING',
    serviceAccount: otherAccount && !takesOver ? record.serviceAccount : by.serviceAccount,
    unanswered: takesOver ? 0 : unanswered,
    searches: takesOver ? undefined : searches,
    claim: { token: by.token, leaseUntil },
    dueAt: leaseUntil,
  };
}

/** Whether another account sent it, or may have: EE tells a replay from a new request per account (rule 11). */
export function sentByOtherAccount(record: UnsettledRecord, serviceAccount: string | undefined): boolean {
  // A holder that died counted no submission.
  const wasSent = record.submissions > 0 || record.unanswered > 0 || record.state === 'SUBMITTING';
  return wasSent && record.serviceAccount !== serviceAccount;
}

function protocolOf(record: UnsettledRecord) {
  const { generation, unanswered, searches, waits, outageSince, error, rejecting } = record;
  return { generation, unanswered, searches, waits, outageSince, error, rejecting };
}

/** What a holder learned while it had the claim; written with its decision. */
export interface SendFindings {
  /** Calls of `video:export` since the claim was written. */
  readonly sends: number;
  readonly unanswered: number;
  readonly searches: Searches | undefined;
  readonly firstSentAt: Date | undefined;
}

function withFindings(record: SubmittingRecord, findings: SendFindings) {
  return {
    submissions: record.submissions + findings.sends,
    submittedAt: record.submittedAt ?? findings.firstSentAt,
    unanswered: findings.unanswered,
    searches: findings.searches,
  };
}

export interface Wait {
  readonly waitingFor: WaitingFor;
  readonly error: RecordError;
  readonly retryAfterMs?: number | undefined;
  /** It will be rejected, with this error, as soon as no send can have started an operation. */
  readonly rejecting?: boolean;
  /** Do not back off: it is handed over, or another process can do at once what this one could not. */
  readonly dueNow?: boolean;
}

/** EE cannot have it now, or it is not known whether EE has it. */
export function wait(
  record: SubmittingRecord,
  findings: SendFindings,
  how: Wait,
  policy: Policy,
  moment: Moment,
): WaitingRecord {
  const { waitingFor, error } = how;
  const { now } = moment;
  const queueing = waitingFor === 'QUEUE' || waitingFor === 'RATE';
  const outage = waitingFor === 'SERVICE' || waitingFor === 'PERMISSION';
  const next: WaitingRecord = {
    ...carry(record, now, {
      state: 'WAITING',
      note: truncate(`${waitingFor}: ${error.message}`, 200),
    }),
    ...protocolOf(record),
    ...withFindings(record, findings),
    state: 'WAITING',
    waitingFor,
    error,
    rejecting: (how.rejecting ?? record.rejecting) || undefined,
    waits: queueing || how.dueNow ? 0 : record.waits + 1,
    outageSince: outage ? (record.outageSince ?? now) : queueing ? undefined : record.outageSince,
    dueAt: now,
  };
  return { ...next, dueAt: how.dueNow ? now : waitUntil(next, record.waits, how, policy, moment) };
}

function waitUntil(next: WaitingRecord, waits: number, how: Wait, policy: Policy, moment: Moment): Date {
  // An operator must act: asking often only fills logs and EE's audit.
  const doublings = next.waitingFor === 'PERMISSION' ? Number.POSITIVE_INFINITY : waits;
  const retryAt = later(moment.now, backoffMs(policy, doublings, how.retryAfterMs, moment.random));
  // The second search may not start earlier, and need not start later, once only that is missing.
  const decides = next.searches && next.unanswered > 0 ? secondSearchAt(next.searches, policy) : undefined;
  if (decides === undefined || decides <= moment.now) {
    return retryAt;
  }
  const onlySearchMatters = next.rejecting === true || next.cancelRequestedAt !== undefined;
  return onlySearchMatters || decides < retryAt ? decides : retryAt;
}

/** The job is not to be: EE refuses it for good, or could not be reached for too long. Only where absence is proven. */
export function reject(
  record: SubmittingRecord,
  findings: SendFindings,
  error: RecordError,
  policy: Policy,
  now: Date,
): RecordIn<'REJECTED'> {
  const { submissions, submittedAt } = withFindings(record, findings);
  return {
    ...carry(record, now, {
      state: 'REJECTED',
      note: truncate(error.message, 200),
    }),
    submissions,
    submittedAt,
    state: 'REJECTED',
    error,
    finishedAt: now,
    expireAt: later(now, policy.retentionMs),
  };
}

/**
 * The id is given up for the next one. Written, with the bytes that carry the new id, before those are sent (rule 2).
 * No operation of the old id can exist, so nothing is unanswered any more.
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
      note: `${record.requestId} is burnt; goes on as ${next.requestId}`,
    }),
    ...protocolOf(record),
    ...withFindings(record, findings),
    state: 'SUBMITTING',
    requestId: next.requestId,
    description: next.description,
    generation: record.generation + 1,
    unanswered: 0,
    searches: undefined,
    claim: record.claim,
    dueAt: record.dueAt,
  };
}

/** The caller wants it no more. What is at EE is cancelled there by whoever writes this, or learns of the operation. */
export function requestCancellation(record: ExportRecord, now: Date): ExportRecord {
  return {
    ...record,
    cancelRequestedAt: now,
    revision: record.revision + 1,
    updatedAt: now,
    history: grow(record.history, { state: record.state, at: now, note: 'cancellation requested' }),
    // Due at once, and not behind a closed gate: it is only searched for.
    ...(record.state === 'WAITING' ? { waitingFor: 'ADOPTION', dueAt: now } : {}),
  };
}

/** Nothing of it is at EE, and nothing will be (rule 8): only where absence is proven. */
export function cancelUnsent(record: UnsettledRecord, policy: Policy, now: Date): RecordIn<'CANCELLED'> {
  return {
    ...carry(record, now, { state: 'CANCELLED' }),
    cancelRequestedAt: record.cancelRequestedAt ?? now,
    state: 'CANCELLED',
    error: cancelledError,
    finishedAt: now,
    expireAt: later(now, policy.retentionMs),
  };
}

/**
 * Falls due at once: a write about it failed, and the sweep's memory must not leave it behind (rule 12). A claim falls due
 * when its lease ends and never earlier: its holder may be sending.
 */
export function markDue(record: WaitingRecord | ActiveRecord, now: Date): ExportRecord {
  return { ...record, dueAt: now, revision: record.revision + 1, updatedAt: now };
}

/**
 * Falls due later, since working on it failed: a record that cannot be worked on must not stay in front of others, in its
 * project's queue least of all, where it would be the one that probes (rule 14).
 */
export function defer(
  record: UnsettledRecord | ActiveRecord,
  problem: string,
  dueAt: Date,
  now: Date,
): ExportRecord {
  const written = { dueAt, revision: record.revision + 1, updatedAt: now };
  if (record.state !== 'WAITING') {
    return { ...record, ...written };
  }
  const isQueued = record.waitingFor === 'QUEUE' || record.waitingFor === 'RATE';
  const error: RecordError = { code: 500, status: 'DEFERRED', message: problem, retryable: true };
  return {
    ...record,
    ...written,
    waitingFor: isQueued ? 'SERVICE' : record.waitingFor,
    // Why it is to be rejected is told in the end.
    error: record.rejecting ? record.error : error,
  };
}
