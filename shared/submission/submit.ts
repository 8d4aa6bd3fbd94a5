import { later } from '../clock.ts';
import { EarthEngineError } from '../earth-engine/api.ts';
import { type Envelope, readJsonData } from '../message/envelope.ts';
import { markedDescription } from '../model/ids.ts';
import { pathsThatDiffer } from '../message/differences.ts';
import { jobRules, type JobRules, parseJobMessageInSteps, type ReadJob } from '../message/job-message.ts';
import type { Job } from '../model/job.ts';
import { type RejectionDetail, rejectMessage } from '../message/rejection.ts';
import { withBatch } from '../record/batches.ts';
import type { ExportRecord } from '../model/record.ts';
import { claim, enqueue, enqueueHeld, enqueueInOutage, type JobSource } from '../record/new-records.ts';
import { cancelOnArrival, existedAt } from '../record/cancellation.ts';
import { createRecord, updateRecord } from '../records.ts';
import type { Services } from '../services.ts';
import { runInSteps, type Steps } from '../steps.ts';
import { isReadable, type Stored } from '../store/store.ts';
import { findFileNameInUse } from './file-name.ts';
import type { Gate } from './gate.ts';
import { createListings } from './listings.ts';
import { errorOf, type SendOutcome, send, serviceAccountOf } from './send.ts';
import type { SendContext } from './claimed-send.ts';

/** Turns a job message into a record and sends the record: steps 1 to 6 of the design. */

export type Submitted =
  | { readonly outcome: 'REJECTED_MESSAGE'; readonly reason: string }
  /** The record already exists: the message was delivered before, or another message has the same job. */
  | { readonly outcome: 'DUPLICATE'; readonly recordId: string }
  /** Its batch was canceled: the record is created as CANCELLED. */
  | { readonly outcome: 'CANCELLED'; readonly recordId: string }
  /** It waits its turn. */
  | { readonly outcome: 'QUEUED'; readonly recordId: string }
  | {
      readonly outcome: 'SENT';
      readonly recordId: string;
      readonly state: ExportRecord['state'];
      readonly sendOutcome: SendOutcome;
    };

const SOURCE = 'submitExport';

/**
 * Handles one delivery of a job message. When it resolves, the message may be acknowledged: the job is in Firestore
 * with the exact bytes to send, or the message is recorded as rejected.
 *
 * @throws what the store rejects with before the claim is known to be written: the message is then redelivered
 */
export async function submit(services: Services, gate: Gate, envelope: Envelope): Promise<Submitted> {
  const reading = await runInSteps(readJob(envelope, jobRules(services.config)));
  return 'reason' in reading
    ? reject(services, envelope, reading)
    : submitJob({ ...services, gate, listings: createListings(services) }, envelope, reading);
}

type Rejection = Omit<RejectionDetail, 'source'>;

function* readJob(envelope: Envelope, rules: JobRules): Steps<ReadJob | Rejection> {
  const data = readJsonData(envelope);
  if ('issues' in data) {
    return { reason: 'INVALID_DATA', issues: data.issues };
  }
  yield;
  const reading = yield* parseJobMessageInSteps(data.json, rules);
  if ('job' in reading) {
    return reading;
  }
  const { issues, recordId, batchId } = reading;
  return { reason: 'INVALID_JOB', issues, recordId, batchId };
}

async function reject(services: Services, envelope: Envelope, detail: Rejection): Promise<Submitted> {
  await rejectMessage(services, envelope, { ...detail, source: SOURCE });
  return { outcome: 'REJECTED_MESSAGE', reason: detail.reason };
}

async function submitJob(
  services: SendContext,
  envelope: Envelope,
  { job, bytes, findings }: ReadJob,
): Promise<Submitted> {
  const { recordId } = job;
  const source: JobSource = {
    requestId: recordId,
    description: markedDescription(job.request.description, recordId),
    messageId: envelope.messageId,
    publishedAt: envelope.publishTime,
  };
  // At the same time, so that the second one costs a read, and no time.
  const [{ record: unchecked, token }, inUse] = await Promise.all([
    cancelledWithBatch(services, job, source).then(
      (cancelled) => cancelled ?? admitted(services, job, source),
    ),
    findFileNameInUse(services, job),
  ]);
  const all = [...findings, ...inUse];
  const record: ExportRecord = all.length > 0 ? { ...unchecked, findings: all } : unchecked;
  const created = await createRecord(services, recordId, record, bytes);
  if ('created' in created && record.state === 'CANCELLED') {
    services.log.info('submit.cancelled', { recordId, batchId: job.batchId });
    return { outcome: 'CANCELLED', recordId };
  }
  const stored = 'created' in created ? created.created : ownClaim(created.existing, token);
  if (stored) {
    return token === undefined ? queued(services, stored) : sent(services, stored, bytes);
  }
  return 'existing' in created && isReadable(created.existing)
    ? duplicate(services, envelope, job, created.existing)
    : // An operator must check that record, which the poller defers and logs. The message has done its part.
      { outcome: 'DUPLICATE', recordId };
}

/** A record to send now, or one that waits: for a budget, or behind the jobs that already wait. */
async function admitted(
  services: SendContext,
  job: Job,
  source: JobSource,
): Promise<{ record: ExportRecord; token: string | undefined }> {
  const { clock, gate, newToken, policy } = services;
  const heldBy = await gate.budgets.holdOn(job);
  if (heldBy !== undefined) {
    const dueAt = later(clock.now(), policy.retryMinMs);
    return { record: enqueueHeld(job, source, heldBy, dueAt, clock.now()), token: undefined };
  }
  const admission = await gate.admit(job.project);
  if ('send' in admission) {
    const serviceAccount = await serviceAccountOf(services);
    if (serviceAccount instanceof EarthEngineError) {
      // The job is stored nevertheless: redelivery would end in the dead-letter topic before a long outage does.
      const error = errorOf(serviceAccount);
      const dueAt = later(clock.now(), policy.retryMinMs);
      const waiting = enqueueInOutage(job, source, error, dueAt, clock.now());
      return { record: waiting, token: undefined };
    }
    const token = newToken();
    return { record: claim(job, { ...source, serviceAccount }, token, policy, clock.now()), token };
  }
  const { waitingFor, dueAt } = admission;
  return { record: enqueue(job, source, waitingFor, dueAt, clock.now()), token: undefined };
}

/**
 * The record of a job that was published before its batch was canceled: nothing is started first. This costs one read for
 * each job of a batch. A cancellation that is written after this read finds the record instead.
 */
async function cancelledWithBatch(
  { store, policy, clock }: SendContext,
  job: Job,
  source: JobSource,
): Promise<{ record: ExportRecord; token: undefined } | undefined> {
  const batch = job.batchId === undefined ? undefined : await store.batches.get(job.batchId);
  const requestedAt = batch && isReadable(batch) ? batch.value.cancelRequestedAt : undefined;
  const now = clock.now();
  if (
    requestedAt === undefined ||
    !existedAt({ publishedAt: source.publishedAt, createdAt: now }, requestedAt)
  ) {
    return undefined;
  }
  return { record: cancelOnArrival(job, source, requestedAt, policy, now), token: undefined };
}

/** The client library may retry a commit whose answer was lost: then the existing record is our own. */
function ownClaim(
  existing: Stored<ExportRecord> | object,
  token: string | undefined,
): Stored<ExportRecord> | undefined {
  const stored = existing as Stored<ExportRecord>;
  const isOurs =
    token !== undefined && stored.value?.state === 'SUBMITTING' && stored.value.claim.token === token;
  return isOurs ? stored : undefined;
}

function queued(services: SendContext, stored: Stored<ExportRecord>): Submitted {
  services.log.info('submit.queued', { recordId: stored.id, project: stored.value.project });
  return { outcome: 'QUEUED', recordId: stored.id };
}

async function sent(
  services: SendContext,
  claimed: Stored<ExportRecord>,
  bytes: Uint8Array,
): Promise<Submitted> {
  const { stored, sendOutcome } = await send(services, claimed, bytes);
  const { state, project } = stored.value;
  if (sendOutcome !== 'OPERATION') {
    // The log line of the record's transition reports that an operation was started.
    services.log.info('submit.sent', { recordId: stored.id, project, state, sendOutcome });
  }
  return { outcome: 'SENT', recordId: stored.id, state, sendOutcome };
}

/** The job has a record. Identical content is a duplicate; different content is rejected with the differences. */
async function duplicate(
  services: SendContext,
  envelope: Envelope,
  job: Job,
  existing: Stored<ExportRecord>,
): Promise<Submitted> {
  const { recordId, batchId } = job;
  const { contentHash } = existing.value;
  // A job that was canceled before its message arrived has no content to compare.
  if (contentHash === undefined || contentHash === job.contentHash) {
    if (batchId !== undefined) {
      await updateRecord(services, existing, (record) => withBatch(record, batchId, services.clock.now()));
    }
    services.log.info('submit.duplicate', { recordId, state: existing.value.state });
    return { outcome: 'DUPLICATE', recordId };
  }
  const issues = (await pathsThatDiffer(services.store.records, job)).map((path) => ({
    path,
    message: `differs from the job that ${recordId} was made from; use another jobKey, or raise attempt to retry the job`,
  }));
  return reject(services, envelope, { reason: 'CONFLICT', issues, recordId, batchId });
}
