import pMap from 'p-map';

import { type Batch, ON_THE_WAY_MS, reopenedBatch } from '../model/batch.ts';
import { changeBatch } from '../batch/change-batch.ts';
import { eachBatch } from '../batch/each-batch.ts';
import { HOUR_MS, later, MINUTE_MS } from '../clock.ts';
import { StaleWriteError } from '../errors.ts';
import type { ActiveRecord, ExportRecord } from '../model/record.ts';
import { isTerminal } from '../model/record.ts';
import { existedAt } from '../record/cancellation.ts';
import type { Services } from '../services.ts';
import { batchQueries, recordQueries } from '../store/queries.ts';
import { pages } from '../store/pages.ts';
import { type Found, isReadable, type Stored } from '../store/store.ts';
import { cancelOperations, isToCancelAtEarthEngine, requestCancelling } from './cancel-record.ts';

/**
 * Cancels a batch: its records in the order in which they were created, then those that appear later because their messages
 * were on the way. The batch stores the progress, so that it continues after a crash.
 */

const PAGE = 300;
const WRITES_AT_ONCE = 16;
/** A record appears in the store within this time after its `createdAt`: a commit takes seconds, and clocks differ. */
const APPEARS_WITHIN_MS = 2 * MINUTE_MS;

/**
 * Marks a batch as canceled, so that it stops expanding and records that appear later are canceled too. If there is no batch
 * with this id yet, it is created as canceled, so that a later manifest is not expanded.
 *
 * @param requestedAt when the cancellation was published. One that is redelivered after the batch was retried, or was
 * published before that, changes nothing
 * @returns undefined if the batch has finished and has nothing left to cancel, except for what may still arrive
 */
export async function markBatch(
  services: Services,
  batchId: string,
  messageId: string,
  requestedAt: Date,
): Promise<Stored<Batch> | undefined> {
  // A finished batch may have unfinished jobs: late ones, and others that were published with its batchId.
  const readAt = services.clock.now();
  const { records } = services.store;
  const unfinished =
    (await records.count(recordQueries.unfinishedOfBatch(batchId))) +
    (await records.count(recordQueries.alsoUnfinishedOfBatch(batchId)));
  const { stored } = await changeBatch(services, batchId, (batch, now) => {
    if (!batch) {
      return { ...unseenBatch(batchId, messageId, now), cancelRequestedAt: requestedAt };
    }
    const known = [batch.cancelRequestedAt, batch.ignoresCancellationsUntil];
    if (known.some((time) => time !== undefined && requestedAt <= time)) {
      return undefined;
    }
    if (batch.state === 'FINISHED' && (batch.manifestHash === '' || unfinished > 0)) {
      const { cancelledThrough: _through, ...running } = reopenedBatch(batch);
      return { ...running, cancelRequestedAt: requestedAt };
    }
    if (batch.state === 'FINISHED') {
      return {
        ...batch,
        cancelRequestedAt: requestedAt,
        cancelledThrough: later(readAt, -APPEARS_WITHIN_MS),
      };
    }
    // Keeps the claim of the delivery that expands it, which may still publish more than is written here.
    // A new cancellation of a canceled batch also covers what was published between the two.
    const { expireAt: _expiry, cancelledThrough: _through, ...expanding } = batch;
    return { ...expanding, state: 'RUNNING', cancelRequestedAt: requestedAt };
  });
  const isCancelled = stored?.value.cancelRequestedAt !== undefined && stored.value.state !== 'FINISHED';
  return isCancelled ? stored : undefined;
}

function unseenBatch(id: string, messageId: string, now: Date) {
  const [, batchId = id, run = ''] = /^(.*)@([^@]*)$/.exec(id) ?? [];
  return {
    state: 'RUNNING',
    batchId,
    run,
    manifestHash: '',
    messageId,
    jobs: 0,
    published: 0,
    cancelRequestedAt: now,
    createdAt: now,
  } as const;
}

export interface BatchCancelled {
  /** Records that had not ended. */
  readonly records: number;
  /** Operations that EE was asked to cancel. */
  readonly operations: number;
}

/** Cancels the records of a marked batch that have appeared since the last call, and existed when it was canceled. */
export async function cancelRecordsOf(
  services: Services,
  batch: Stored<Batch>,
  deadline: Date,
): Promise<BatchCancelled> {
  const { clock, store, stopping } = services;
  const startedAt = clock.now();
  const { cancelRequestedAt: requestedAt = startedAt } = batch.value;
  const query = recordQueries.ofBatchSince(batch.id, batch.value.cancelledThrough ?? new Date(0));
  // Waiting records are canceled first, since they could be sent while EE's rate limit delays the rest.
  const running: Stored<ActiveRecord>[] = [];
  let records = 0;
  const isOver = () => stopping.aborted || clock.now() >= deadline;
  let isComplete = !isOver();
  const cancelPage = async (page: readonly Found<ExportRecord>[]): Promise<void> => {
    const open = page
      .filter(isReadable)
      .filter(({ value }) => !isTerminal(value) && !value.cancelRequestedAt && existedAt(value, requestedAt));
    records += open.length;
    await pMap(open, (stored) => cancelOne(services, stored, requestedAt, running), {
      concurrency: WRITES_AT_ONCE,
    });
  };
  for await (const page of isComplete ? pages(store.records, query, PAGE) : []) {
    await cancelPage(page);
    const last = page.at(-1);
    if (page.length === PAGE && last && isReadable(last)) {
      await saveProgress(services, batch.id, last.value.createdAt);
    }
    if (page.length === PAGE && isOver()) {
      isComplete = false;
      break;
    }
  }
  // A record can become shared long after it was created, so these are read as a whole each time.
  const shared = recordQueries.alsoUnfinishedOfBatch(batch.id);
  for await (const page of isComplete ? pages(store.records, shared, PAGE) : []) {
    await cancelPage(page);
    if (isOver()) {
      isComplete = page.length < PAGE;
      break;
    }
  }
  if (isComplete) {
    const through = later(startedAt, -APPEARS_WITHIN_MS);
    const known = batch.value.cancelledThrough?.getTime() ?? 0;
    // Reading an empty page again costs little; a write every minute would cost more.
    if (records > 0 || through.getTime() - known > HOUR_MS) {
      await saveProgress(services, batch.id, through);
    }
  }
  const operations = await cancelOperations(services, running, deadline);
  return { records, operations };
}

async function cancelOne(
  services: Services,
  stored: Stored<ExportRecord>,
  requestedAt: Date,
  running: Stored<ActiveRecord>[],
): Promise<void> {
  try {
    const after = await requestCancelling(services, stored, requestedAt);
    if (isToCancelAtEarthEngine(after)) {
      running.push(after);
    }
  } catch (error) {
    // Deleted, or written by others again and again: one record must not keep the rest of a batch running.
    if (!(error instanceof StaleWriteError)) {
      throw error;
    }
    services.log.error('record.failed', error, { recordId: stored.id });
  }
}

async function saveProgress(services: Services, batchId: string, through: Date): Promise<void> {
  await changeBatch(services, batchId, (batch) => {
    if (!batch || (batch.cancelledThrough && batch.cancelledThrough >= through)) {
      return undefined;
    }
    return { ...batch, cancelledThrough: through };
  });
}

/**
 * The part of a pollExports run that continues the cancellation of batches: cancels what has appeared since it stopped.
 * Costs two reads per batch if there is nothing.
 */
export async function cancelLateArrivals(services: Services, deadline: Date): Promise<void> {
  const query = batchQueries.cancelledSince(later(services.clock.now(), -ON_THE_WAY_MS));
  await eachBatch(services, query, deadline, async (stored) => {
    const { records, operations } = await cancelRecordsOf(services, stored, deadline);
    if (records > 0) {
      services.log.info('batch.cancelled_more', { batchId: stored.id, records, operations });
    }
  });
}
