import { later } from '../clock.ts';
import type { Finding } from '../model/finding.ts';
import type { Job } from '../model/job.ts';
import type {
  CommonField,
  ProtocolField,
  QueueReason,
  RecordError,
  SubmittingRecord,
  WaitingRecord,
} from '../model/record.ts';
import { shortNote } from './carry.ts';
import type { Policy } from './policy.ts';

/** How a job becomes a record. A job that is canceled before its message arrives is in `cancellation.ts`. */

/** The origin of a job's record. */
export interface JobSource {
  readonly requestId: string;
  /** With the marker, as Earth Engine stores it. */
  readonly description: string;
  readonly messageId: string;
  readonly publishedAt?: Date | undefined;
  readonly serviceAccount?: string | undefined;
  readonly retryOf?: string | undefined;
  /** What the check of the graph found, if anything. */
  readonly findings?: readonly Finding[] | undefined;
}

/** Earth Engine's own default (projects.video.export, `priority`): it orders our queue if the job sets none. */
export const DEFAULT_PRIORITY = 100;

/** The fields that a new record does not have yet. */
type LaterField =
  | 'alsoBatches'
  | 'cancelReason'
  | 'cancelRequestedAt'
  | 'error'
  | 'extraOperations'
  | 'outageSince'
  | 'rejecting'
  | 'searches'
  | 'sentUntil'
  | 'serviceAccount'
  | 'submittedAt'
  | 'unpublishedEvents'
  | 'unsettledSince';

/** A new field does not compile until it is set by `initialFields` or is in the list above. */
type InitialFields = { [Field in Exclude<CommonField | ProtocolField, LaterField>]: WaitingRecord[Field] };

function initialFields(job: Job, source: JobSource, now: Date, state: string, note?: string): InitialFields {
  return {
    requestId: source.requestId,
    project: job.project,
    jobKey: job.jobKey,
    attempt: job.attempt,
    batchId: job.batchId,
    labels: { ...job.labels },
    contentHash: job.contentHash,
    messageId: source.messageId,
    publishedAt: source.publishedAt,
    description: source.description,
    destination: job.destination,
    requestedVideo: job.requestedVideo,
    deliverTo: job.deliverTo,
    maxEecuHours: job.maxEecuHours,
    shapeHash: job.shapeHash,
    extent: job.extent,
    priority: job.request.priority ?? DEFAULT_PRIORITY,
    workloadTag: job.request.workloadTag,
    retryOf: source.retryOf,
    findings: source.findings && [...source.findings],
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

/** A record that its creator may send at once. */
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

/** A record that waits its turn: Earth Engine accepts no more for now, or other records already wait. */
export function enqueue(
  job: Job,
  source: JobSource,
  waitingFor: QueueReason,
  dueAt: Date,
  now: Date,
): WaitingRecord {
  return {
    ...initialFields(job, source, now, 'WAITING', 'queued behind other jobs'),
    state: 'WAITING',
    waitingFor,
    dueAt,
  };
}

/** A record that waits until a budget releases it. */
export function enqueueHeld(
  job: Job,
  source: JobSource,
  heldBy: string,
  dueAt: Date,
  now: Date,
): WaitingRecord {
  return {
    ...initialFields(job, source, now, 'WAITING', shortNote(`held by the budget ${heldBy}`)),
    state: 'WAITING',
    waitingFor: 'BUDGET',
    heldBy,
    dueAt,
  };
}

/** A record that waits for the end of an outage that was detected before anything was sent. */
export function enqueueInOutage(
  job: Job,
  source: JobSource,
  error: RecordError,
  dueAt: Date,
  now: Date,
): WaitingRecord {
  return {
    ...initialFields(job, source, now, 'WAITING', shortNote(`SERVICE: ${error.message}`)),
    state: 'WAITING',
    waitingFor: 'SERVICE',
    error,
    outageSince: now,
    dueAt,
  };
}
