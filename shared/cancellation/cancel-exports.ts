import { later, MINUTE_MS } from '../clock.ts';
import { isAllowed } from '../config.ts';
import { type Envelope, readJsonData } from '../message/envelope.ts';
import { recordIdOf } from '../model/ids.ts';
import { createIssueList, describe, mismatch } from '../issues.ts';
import type { Issue } from '../model/rejected-message.ts';
import { rejectMessage } from '../message/rejection.ts';
import { isTooWide } from '../message/width.ts';
import { addZodIssues } from '../message/zod-issues.ts';
import { type ExportRecord, isTerminal } from '../model/record.ts';
import { cancelUnseen, existedAt } from '../record/cancellation.ts';
import { createRecord } from '../records.ts';
import type { Services } from '../services.ts';
import { recordQueries } from '../store/queries.ts';
import { type Found, isReadable, type Stored } from '../store/store.ts';
import { cancelRecordsOf, markBatch } from './cancel-batch.ts';
import { cancelOperations, isToCancelAtEarthEngine, requestCancelling } from './cancel-record.ts';
import { type Cancellation, cancellationSchema } from './cancellation-schema.ts';

/** The function has 540 s. The poller cancels what is left of a batch then. */
const BUDGET_MS = 8 * MINUTE_MS;
/** Attempts at one job key in all projects; each project has at most 999. */
const MAX_ATTEMPTS_READ = 2000;

const SOURCE = 'cancelExports';

export type Cancelled =
  | { readonly outcome: 'REJECTED_MESSAGE'; readonly issues: readonly Issue[] }
  | {
      readonly outcome: 'CANCELLED';
      /** Records that had not ended, or were created so that a job is not sent when its message arrives. */
      readonly records: number;
      /** Operations that EE was asked to cancel. */
      readonly operations: number;
    };

/**
 * Handles one delivery of a cancellation, which applies to what existed when it was published: a retry, and jobs that were
 * published later, stay. Records that have ended do not change, and repeating it is harmless. When it resolves, the message may be acknowledged: what is not canceled yet is marked, and the poller continues.
 *
 * @throws what the store throws: the message is then redelivered
 */
export async function cancelExports(services: Services, envelope: Envelope): Promise<Cancelled> {
  const deadline = later(services.clock.now(), BUDGET_MS);
  const data = readJsonData(envelope);
  if ('issues' in data) {
    return reject(services, envelope, 'INVALID_DATA', data.issues);
  }
  const issues = createIssueList();
  if (isTooWide(data.json, () => [], issues)) {
    return reject(services, envelope, 'INVALID_CANCELLATION', issues.list());
  }
  const parsed = cancellationSchema.safeParse(data.json);
  if (!parsed.success) {
    addZodIssues(parsed.error, data.json, issues);
    return reject(services, envelope, 'INVALID_CANCELLATION', issues.list());
  }
  // A cancellation that was posted without Pub/Sub applies to what exists now.
  const requestedAt = envelope.publishTime ?? services.clock.now();
  const { batchId } = parsed.data;
  if (batchId !== undefined) {
    const batch = await markBatch(services, batchId, envelope.messageId, requestedAt);
    const { records, operations } = batch
      ? await cancelRecordsOf(services, batch, deadline)
      : { records: 0, operations: 0 };
    services.log.info('batch.cancelled', { batchId, records, operations });
    return { outcome: 'CANCELLED', records, operations };
  }
  const found = await findRecords(services, parsed.data, envelope.messageId, requestedAt);
  if ('issues' in found) {
    return reject(services, envelope, 'INVALID_CANCELLATION', found.issues);
  }
  return cancelRecords(services, found.records, requestedAt, deadline);
}

async function reject(
  services: Services,
  envelope: Envelope,
  reason: string,
  issues: readonly Issue[],
): Promise<Cancelled> {
  await rejectMessage(services, envelope, { reason, issues, source: SOURCE });
  return { outcome: 'REJECTED_MESSAGE', issues };
}

async function cancelRecords(
  services: Services,
  open: readonly Stored<ExportRecord>[],
  requestedAt: Date,
  deadline: Date,
): Promise<Cancelled> {
  const marked: Stored<ExportRecord>[] = [];
  for (const stored of open) {
    marked.push(await requestCancelling(services, stored, requestedAt));
  }
  const operations = await cancelOperations(services, marked.filter(isToCancelAtEarthEngine), deadline);
  for (const { id, value } of marked) {
    services.log.info('record.cancelled', { recordId: id, state: value.state });
  }
  return { outcome: 'CANCELLED', records: marked.length, operations };
}

type Records = { readonly records: readonly Stored<ExportRecord>[] } | { readonly issues: readonly Issue[] };

/** The records to cancel. A job without a record gets one, which its message will find. */
async function findRecords(
  services: Services,
  cancellation: Cancellation,
  messageId: string,
  requestedAt: Date,
): Promise<Records> {
  const { store, config } = services;
  const { recordId, jobKey, attempt, project = config.earthEngineProject } = cancellation;
  if (recordId !== undefined) {
    const found = await store.records.get(recordId);
    const message = `found ${describe(recordId)}, which has no record; to cancel a job before its message arrives, use its jobKey`;
    return found ? openAmong(services, [found], requestedAt) : { issues: [{ path: 'recordId', message }] };
  }
  if (jobKey === undefined) {
    return { records: [] };
  }
  if (!isAllowed(config.allowedProjects, project)) {
    const message = mismatch(project, 'a project in ALLOWED_PROJECTS');
    return { issues: [{ path: 'project', message }] };
  }
  const attempts = attempt === undefined ? await attemptsAt(services, project, jobKey) : [];
  if (attempts.length > 0) {
    return openAmong(services, attempts, requestedAt);
  }
  return unseen(services, { project, jobKey, attempt: attempt ?? 1 }, messageId, requestedAt);
}

async function attemptsAt(
  { store }: Services,
  project: string,
  jobKey: string,
): Promise<Found<ExportRecord>[]> {
  const found = await store.records.find(recordQueries.ofJobKey(jobKey), { limit: MAX_ATTEMPTS_READ });
  return found.filter((each) => (isReadable(each) ? each.value.project : each.fields['project']) === project);
}

async function unseen(
  services: Services,
  job: { readonly project: string; readonly jobKey: string; readonly attempt: number },
  messageId: string,
  requestedAt: Date,
): Promise<Records> {
  const { clock, policy } = services;
  const recordId = recordIdOf(job);
  const record = cancelUnseen({ ...job, recordId }, messageId, policy, clock.now());
  const outcome = await createRecord(services, recordId, record);
  if ('existing' in outcome) {
    return openAmong(services, [outcome.existing], requestedAt);
  }
  return { records: [outcome.created] };
}

async function openAmong(
  services: Services,
  found: readonly Found<ExportRecord>[],
  requestedAt: Date,
): Promise<Records> {
  const records: Stored<ExportRecord>[] = [];
  const issues: Issue[] = [];
  for (const each of found) {
    if (!isReadable(each)) {
      issues.push({ path: '', message: `the record ${each.id} cannot be read; repair it first` });
    } else if (!isTerminal(each.value) && (await appliesTo(services, each.value, requestedAt))) {
      records.push(each);
    }
  }
  return issues.length > 0 ? { issues } : { records };
}

/** A retry of a record that this cancellation canceled already was created after it, whatever the clocks say. */
async function appliesTo({ store }: Services, record: ExportRecord, requestedAt: Date): Promise<boolean> {
  if (!existedAt(record, requestedAt)) {
    return false;
  }
  const previous = record.retryOf === undefined ? undefined : await store.records.get(record.retryOf);
  const cancelledAt = previous && isReadable(previous) ? previous.value.cancelRequestedAt : undefined;
  return cancelledAt === undefined || cancelledAt < requestedAt;
}
