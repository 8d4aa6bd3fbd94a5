import pMap from 'p-map';

import { later, MINUTE_MS } from '../clock.ts';
import { withRequestId } from '../message/identity.ts';
import { REQUEST_BYTES } from '../message/job-message.ts';
import type { Job, VideoRequest } from '../model/job.ts';
import { nextAttemptId } from '../model/ids.ts';
import { type ExportRecord, isTerminal, type RecordState, type TerminalRecord } from '../model/record.ts';
import { enqueue } from '../record/transitions.ts';
import { createRecord } from '../records.ts';
import type { Services } from '../services.ts';
import { type Query, recordQueries } from '../store/queries.ts';
import { pages } from '../store/pages.ts';
import { type Found, isReadable, type Stored } from '../store/store.ts';
import { reopenedBatch } from '../model/batch.ts';
import { changeBatch, releaseBatch } from '../batch/change-batch.ts';

/**
 * Running jobs again that did not succeed: attempt n+1, from the request that attempt n stored. The new record is written
 * at once, waiting its turn as any other that waits, and the poller sends it: no message is on the way that could be lost
 * or published twice, and a request may be larger than Pub/Sub takes.
 */

const PAGE = 300;
const RECORDS_AT_ONCE = 8;
/** For one page of records. The batch is not finished while it lasts. */
const LEASE_MS = 5 * MINUTE_MS;
/** So many new attempts are named; the rest is counted. */
const NAMED = 100;

/** What is to be run again: what did not succeed among these. */
export type RetrySelection =
  | { readonly batchId: string }
  | { readonly label: readonly [name: string, value: string] }
  | { readonly jobKeys: readonly string[]; readonly project?: string | undefined }
  | { readonly recordIds: readonly string[] };

export interface RetryOptions {
  /** Also what would most likely end the same way: errors that are not retryable. */
  readonly force?: boolean;
  /** Only says what would be done. */
  readonly dryRun?: boolean;
}

/** Why a record is not run again. */
export type NotRetriedReason =
  /** It succeeded, or has not ended. */
  | 'SUCCEEDED'
  | 'NOT_ENDED'
  /** There is a later attempt: that is the one to look at. */
  | 'LATER_ATTEMPT'
  /** The same job would most likely end the same way; `force` runs it all the same. */
  | 'NOT_RETRYABLE'
  /** Cancelled before its message came: there is no request to send. */
  | 'NO_REQUEST'
  /** Attempt 999, or a request of EE's full size that the longer id does not fit into. */
  | 'NO_ROOM'
  /** Its batch is still being cancelled: wait until it is finished. */
  | 'BATCH_CANCELLING'
  | 'UNREADABLE';

export interface RetryResult {
  /** How many attempts were made (or would be). */
  readonly started: number;
  /** The first of them. */
  readonly attempts: readonly { readonly recordId: string; readonly retryOf: string }[];
  readonly skipped: Readonly<Partial<Record<NotRetriedReason, number>>>;
  /** Record ids that were asked for and do not exist, job keys without a record. */
  readonly unknown: readonly string[];
}

/** Repeating it is harmless: a job that was run again has a later attempt. */
export async function retryJobs(
  services: Services,
  selection: RetrySelection,
  { force = false, dryRun = false }: RetryOptions = {},
): Promise<RetryResult> {
  const attempts: { recordId: string; retryOf: string }[] = [];
  const skipped: Partial<Record<NotRetriedReason, number>> = {};
  const unknown: string[] = [];
  let started = 0;
  const skip = (reason: NotRetriedReason): void => {
    skipped[reason] = (skipped[reason] ?? 0) + 1;
  };
  for await (const page of pagesOf(services, selection, unknown)) {
    const batches = createReopening(services, dryRun);
    const one = async (found: Found<ExportRecord>): Promise<void> => {
      const next = await nextAttempt(services, found, force);
      if ('skipped' in next) {
        return skip(next.skipped);
      }
      const { recordId, record, request } = next;
      if (!(await batches.reopen(record.batchId))) {
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
      if (attempts.length < NAMED) {
        attempts.push({ recordId, retryOf: found.id });
      }
    };
    try {
      await pMap(page, one, { concurrency: RECORDS_AT_ONCE });
    } finally {
      await batches.release();
    }
  }
  return { started, attempts, skipped, unknown };
}

async function* pagesOf(
  services: Services,
  selection: RetrySelection,
  unknown: string[],
): AsyncGenerator<readonly Found<ExportRecord>[]> {
  const { store, config } = services;
  if ('batchId' in selection) {
    yield* pages(store.records, recordQueries.ofBatchIn(selection.batchId, unsuccessful), PAGE);
  } else if ('label' in selection) {
    // What is made on the way has the label too, and may come up on a later page.
    for await (const page of pages(store.records, recordQueries.ofLabel(...selection.label), PAGE)) {
      yield page.filter((found) => !isReadable(found) || unsuccessful.includes(found.value.state));
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

/** All attempts at one job, in their order. */
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
  force: boolean,
): Promise<NextAttempt | { readonly skipped: NotRetriedReason }> {
  if (!isReadable(found)) {
    return { skipped: 'UNREADABLE' };
  }
  const record = found.value;
  if (!isTerminal(record)) {
    return { skipped: 'NOT_ENDED' };
  }
  if (record.state === 'SUCCEEDED') {
    return { skipped: 'SUCCEEDED' };
  }
  if (!force && !record.error.retryable) {
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

  const stored = await services.store.records.readRequest(found.id);
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

/** Any later attempt, wherever its number: one that a message asked for may have skipped some. */
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
  const job: Job = { recordId, jobKey, attempt, project, batchId, labels, contentHash, destination, request };
  const now = clock.now();
  const waiting = enqueue(job, { requestId: recordId, description, messageId, retryOf }, 'QUEUE', now, now);
  return { ...waiting, history: [{ state: 'WAITING', at: now, note: `runs ${retryOf} again` }] };
}

interface Reopening {
  /** @returns false while the batch is still being cancelled */
  reopen(batchId: string | undefined): Promise<boolean>;
  release(): Promise<void>;
}

/**
 * Makes batches RUNNING before jobs of theirs are run again, and keeps them from being finished until the new records are
 * there (rule 13). An earlier cancellation is over then: what is run again is wanted.
 */
function createReopening(services: Services, dryRun: boolean): Reopening {
  const token = services.newToken();
  const reopened = new Map<string, Promise<boolean>>();
  const reopen = async (batchId: string): Promise<boolean> => {
    let mayRun = true;
    await changeBatch(services, batchId, (batch, now) => {
      mayRun = batch === undefined || batch.state === 'FINISHED' || batch.cancelRequestedAt === undefined;
      if (!batch || !mayRun || dryRun || batch.state === 'EXPANDING') {
        return undefined;
      }
      const { cancelRequestedAt: _request, cancelledThrough: _through, ...running } = reopenedBatch(batch);
      return { ...running, claim: { token, leaseUntil: later(now, LEASE_MS) } };
    });
    return mayRun;
  };
  return {
    reopen: async (batchId) => {
      if (batchId === undefined) {
        return true;
      }
      const reopening = reopened.get(batchId) ?? reopen(batchId);
      reopened.set(batchId, reopening);
      return reopening;
    },
    release: async () => {
      for (const batchId of reopened.keys()) {
        await releaseBatch(services, batchId, token);
      }
    },
  };
}
