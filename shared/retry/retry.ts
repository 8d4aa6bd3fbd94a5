import pMap from 'p-map';

import { UnreadableError } from '../errors.ts';
import { withRequestId } from '../message/identity.ts';
import { REQUEST_BYTES } from '../message/job-message.ts';
import type { Job, VideoRequest } from '../model/job.ts';
import { nextAttemptId } from '../model/ids.ts';
import { type ExportRecord, isTerminal, type RecordState, type TerminalRecord } from '../model/record.ts';
import { enqueue, type JobSource } from '../record/new-records.ts';
import { batchesOf } from '../record/batches.ts';
import { isUndelivered } from '../record/delivery.ts';
import { createRecord } from '../records.ts';
import type { Services } from '../services.ts';
import { type Query, recordQueries } from '../store/queries.ts';
import { pages } from '../store/pages.ts';
import { type Found, isReadable, type Stored } from '../store/store.ts';
import { createReopening } from './reopening.ts';

/**
 * Retries jobs that did not succeed: attempt n+1, from the request that attempt n stored. The new record is written directly,
 * as WAITING, and the poller sends it like any other. So no message can be lost or published twice, and a request may be
 * larger than Pub/Sub accepts.
 */

const PAGE = 300;
const RECORDS_AT_ONCE = 8;
/** So many records are listed; the rest are only counted. */
const MAX_LISTED = 100;

/** The jobs to retry, if they did not succeed. */
export type RetrySelection =
  | { readonly batchId: string }
  | { readonly label: readonly [name: string, value: string] }
  | { readonly jobKeys: readonly string[]; readonly project?: string | undefined }
  | { readonly recordIds: readonly string[] };

export interface RetryOptions {
  /** Retries jobs that succeeded, but whose video is missing or suspect; of a batch or a label, only those. */
  readonly undelivered?: boolean;
  /** Also retries jobs whose error is not retryable, so that they would most likely fail the same way. */
  readonly force?: boolean;
  /** Only reports what would be done. */
  readonly dryRun?: boolean;
}

/** Why a record is not retried. */
export type NotRetriedReason =
  | 'SUCCEEDED'
  | 'NOT_ENDED'
  /** There is a later attempt, which counts instead. */
  | 'LATER_ATTEMPT'
  /** The job would most likely fail the same way; `force` retries it anyway. */
  | 'NOT_RETRYABLE'
  /** Canceled before its message arrived, so there is no request to send. */
  | 'NO_REQUEST'
  /** Attempt 999, or a request of EE's maximum size, which has no room for the longer id. */
  | 'NO_ROOM'
  /** Its batch is still being canceled: wait until it has finished. */
  | 'BATCH_CANCELLING'
  | 'UNREADABLE'
  /** Its stored request is missing or damaged, so only its sender can run it again. */
  | 'REQUEST_DAMAGED';

export interface RetryResult {
  /** How many attempts were created, or would be in a dry run. */
  readonly started: number;
  /** The first of them. */
  readonly attempts: readonly { readonly recordId: string; readonly retryOf: string }[];
  readonly skipped: Readonly<Partial<Record<NotRetriedReason, number>>>;
  /** The records that were skipped as UNREADABLE or REQUEST_DAMAGED; the first of them. */
  readonly damaged: readonly string[];
  /** The selected record ids and job keys that have no record. */
  readonly unknown: readonly string[];
}

/** Retries the selected jobs. Repeating it is harmless, since a retried job has a later attempt. */
export async function retryJobs(
  services: Services,
  selection: RetrySelection,
  { force = false, undelivered = false, dryRun = false }: RetryOptions = {},
): Promise<RetryResult> {
  const attempts: { recordId: string; retryOf: string }[] = [];
  const skipped: Partial<Record<NotRetriedReason, number>> = {};
  const damaged: string[] = [];
  const unknown: string[] = [];
  let started = 0;
  const skip = (reason: NotRetriedReason): void => {
    skipped[reason] = (skipped[reason] ?? 0) + 1;
  };
  for await (const page of pagesOf(services, selection, unknown, undelivered)) {
    const batches = createReopening(services, dryRun);
    const one = async (found: Found<ExportRecord>): Promise<void> => {
      const next = await nextAttempt(services, found, { force, undelivered });
      if ('skipped' in next) {
        const isDamaged = next.skipped === 'UNREADABLE' || next.skipped === 'REQUEST_DAMAGED';
        if (isDamaged && damaged.length < MAX_LISTED) {
          damaged.push(found.id);
        }
        return skip(next.skipped);
      }
      const { recordId, record, request } = next;
      if (!(await batches.reopen(batchesOf(record)))) {
        return skip('BATCH_CANCELLING');
      }
      if (!dryRun) {
        const outcome = await createRecord(services, recordId, record, request);
        if ('existing' in outcome) {
          return skip('LATER_ATTEMPT');
        }
        services.log.info('record.retried', { recordId, retryOf: found.id, batchId: record.batchId });
      }
      started += 1;
      if (attempts.length < MAX_LISTED) {
        attempts.push({ recordId, retryOf: found.id });
      }
    };
    try {
      await pMap(page, one, { concurrency: RECORDS_AT_ONCE });
    } finally {
      await batches.release();
    }
  }
  return { started, attempts, skipped, damaged, unknown };
}

async function* pagesOf(
  services: Services,
  selection: RetrySelection,
  unknown: string[],
  undelivered: boolean,
): AsyncGenerator<readonly Found<ExportRecord>[]> {
  const { store, config } = services;
  const states: readonly RecordState[] = undelivered ? ['SUCCEEDED'] : unsuccessful;
  if ('batchId' in selection) {
    yield* pages(store.records, recordQueries.ofBatchIn(selection.batchId, states), PAGE);
    yield* pages(store.records, recordQueries.alsoOfBatchIn(selection.batchId, states), PAGE);
  } else if ('label' in selection) {
    // The new attempts have the label too, and may appear on a later page.
    for await (const page of pages(store.records, recordQueries.ofLabel(...selection.label), PAGE)) {
      yield page.filter((found) => !isReadable(found) || states.includes(found.value.state));
    }
  } else if ('jobKeys' in selection) {
    const { jobKeys, project = config.earthEngineProject } = selection;
    for (const jobKey of jobKeys) {
      const attempts = await attemptsOf(services, recordQueries.ofJobKey(jobKey), project);
      const latest = attempts.at(-1);
      if (latest) {
        yield [latest];
      } else {
        unknown.push(jobKey);
      }
    }
  } else {
    for (let start = 0; start < selection.recordIds.length; start += PAGE) {
      const ids = selection.recordIds.slice(start, start + PAGE);
      const found = await store.records.getMany(ids);
      const known = new Set(found.map(({ id }) => id));
      unknown.push(...ids.filter((id) => !known.has(id)));
      yield found;
    }
  }
}

const unsuccessful: readonly RecordState[] = ['FAILED', 'REJECTED', 'LOST', 'CANCELLED'];

/** All attempts at one job, in order. */
async function attemptsOf(
  { store }: Services,
  query: Query,
  project: string,
): Promise<Stored<ExportRecord>[]> {
  const found = await store.records.find(query, { limit: 2000 });
  return found
    .filter((each) => isReadable(each))
    .filter(({ value }) => value.project === project)
    .sort((a, b) => a.value.attempt - b.value.attempt);
}

interface NextAttempt {
  readonly recordId: string;
  readonly record: ExportRecord;
  readonly request: Uint8Array;
}

async function nextAttempt(
  services: Services,
  found: Found<ExportRecord>,
  { force, undelivered }: Required<Pick<RetryOptions, 'force' | 'undelivered'>>,
): Promise<NextAttempt | { readonly skipped: NotRetriedReason }> {
  if (!isReadable(found)) {
    return { skipped: 'UNREADABLE' };
  }
  const record = found.value;
  if (!isTerminal(record)) {
    return { skipped: 'NOT_ENDED' };
  }
  if (record.state === 'SUCCEEDED') {
    if (!undelivered || !isUndelivered(record)) {
      return { skipped: 'SUCCEEDED' };
    }
  } else if (!force && !record.error.retryable) {
    return { skipped: 'NOT_RETRYABLE' };
  }
  if (!record.contentHash) {
    return { skipped: 'NO_REQUEST' };
  }
  const recordId = nextAttemptId(found.id, record.attempt);
  if (recordId === undefined) {
    return { skipped: 'NO_ROOM' };
  }
  if (await hasLaterAttempt(services, record)) {
    return { skipped: 'LATER_ATTEMPT' };
  }

  const stored = await readRequest(services, found.id);
  if (stored === undefined) {
    return { skipped: 'REQUEST_DAMAGED' };
  }
  const { bytes, description } = withRequestId(stored, recordId);
  if (bytes.length > REQUEST_BYTES) {
    return { skipped: 'NO_ROOM' };
  }
  return {
    recordId,
    record: attemptAfter(services, found.id, record, recordId, description, bytes),
    request: bytes,
  };
}

/** The request of a record; undefined if it is damaged, which must not stop the other records. */
async function readRequest({ store }: Services, id: string): Promise<Uint8Array | undefined> {
  try {
    return await store.records.readRequest(id);
  } catch (error) {
    if (error instanceof UnreadableError) {
      return undefined;
    }
    throw error;
  }
}

/** Whether any later attempt exists: the number in a message may skip some. */
async function hasLaterAttempt(services: Services, record: ExportRecord): Promise<boolean> {
  const { jobKey, contentHash = '', project, attempt } = record;
  const query = jobKey === undefined ? recordQueries.ofContent(contentHash) : recordQueries.ofJobKey(jobKey);
  const attempts = await attemptsOf(services, query, project);
  return attempts.some(({ value }) => value.jobKey === jobKey && value.attempt > attempt);
}

function attemptAfter(
  { clock }: Services,
  retryOf: string,
  record: TerminalRecord,
  recordId: string,
  description: string,
  bytes: Uint8Array,
): ExportRecord {
  const { jobKey, project, batchId, labels, contentHash = '', destination = '', messageId } = record;
  const request = JSON.parse(new TextDecoder().decode(bytes)) as VideoRequest;
  const attempt = record.attempt + 1;
  const { deliverTo, extent, maxEecuHours, requestedVideo, shapeHash } = record;
  const job: Job = {
    recordId,
    jobKey,
    attempt,
    project,
    batchId,
    labels,
    contentHash,
    destination,
    deliverTo,
    extent,
    maxEecuHours,
    shapeHash,
    requestedVideo,
    request,
  };
  const now = clock.now();
  // The graph is the same, so what was found in it still holds.
  const { findings } = record;
  const source: JobSource = { requestId: recordId, description, messageId, retryOf, findings };
  const waiting = enqueue(job, source, 'QUEUE', now, now);
  return {
    ...waiting,
    alsoBatches: record.alsoBatches,
    history: [{ state: 'WAITING', at: now, note: `retries ${retryOf}` }],
  };
}
