import pMap from 'p-map';

import { type Batch, ON_THE_WAY_MS, reopenedBatch } from '../model/batch.ts';
import { changeBatch } from '../batch/change-batch.ts';
import { eachBatch } from '../batch/each-batch.ts';
import { HOUR_MS, later, MINUTE_MS } from '../clock.ts';
import { StaleWriteError } from '../errors.ts';
import type { ActiveRecord, ExportRecord } from '../model/record.ts';
import { isTerminal } from '../model/record.ts';
import type { Services } from '../services.ts';
import { batchQueries, recordQueries } from '../store/queries.ts';
import { pages } from '../store/pages.ts';
import { isReadable, type Stored } from '../store/store.ts';
import { cancelOperations, isToCancelAtEarthEngine, requestCancelling } from './cancel-record.ts';

/**
 * Cancelling a batch: its records in the order in which they were created, then those that appear later, since their
 * messages were on the way. How far that came is written on the batch, so that it goes on after a crash.
 */

const PAGE = 300;
const WRITES_AT_ONCE = 16;
/** A record is in the store so long after its `createdAt` at the latest: a commit takes seconds, and clocks differ. */
const APPEARS_WITHIN_MS = 2 * MINUTE_MS;
/**
 * Marks a batch as cancelled, so that it stops expanding and what appears later is cancelled too. A name that no manifest
 * has (yet) gets a batch of its own: a manifest that comes after it is not expanded.
 *
 * @returns undefined where it has finished and nothing of it is left to cancel: only what may still come
 */
export async function markBatch(
  services: Services,
  batchId: string,
  messageId: string,
): Promise<Stored<Batch> | undefined> {
  // Jobs may have been published by hand under the name of a finished batch, or come late.
  const lookedAt = services.clock.now();
  const unfinished = await services.store.records.count(recordQueries.unfinishedOfBatch(batchId));
  const { stored } = await changeBatch(services, batchId, (batch, now) => {
    if (!batch) {
      return unseenBatch(batchId, messageId, now);
    }
    if (batch.state === 'FINISHED' && (batch.manifestHash === '' || unfinished > 0)) {
      const { cancelledThrough: _through, ...running } = reopenedBatch(batch);
      return { ...running, cancelRequestedAt: now };
    }
    if (batch.cancelRequestedAt !== undefined) {
      return undefined;
    }
    if (batch.state === 'FINISHED') {
      return {
        ...batch,
        cancelRequestedAt: now,
        cancelledThrough: later(lookedAt, -APPEARS_WITHIN_MS),
      };
    }
    // The claim of whoever expands it stays: until that is given back, more may be published than is written here.
    const { expireAt: _expiry, ...expanding } = batch;
    return { ...expanding, state: 'RUNNING', cancelRequestedAt: now };
  });
  return stored?.value.state === 'FINISHED' ? undefined : stored;
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
  /** Records that were looked at and had not ended. */
  readonly records: number;
  /** Operations that EE was asked to cancel. */
  readonly operations: number;
}

/** Cancels the records of a marked batch that are there now and were not looked at before. */
export async function cancelRecordsOf(
  services: Services,
  batch: Stored<Batch>,
  deadline: Date,
): Promise<BatchCancelled> {
  const { clock, store, stopping } = services;
  const startedAt = clock.now();
  const query = recordQueries.ofBatchSince(batch.id, batch.value.cancelledThrough ?? new Date(0));
  // Those that wait are ended first, all of them: EE's rate must not hold them up until they are sent.
  const running: Stored<ActiveRecord>[] = [];
  let records = 0;
  const isOver = () => stopping.aborted || clock.now() >= deadline;
  let isComplete = !isOver();
  for await (const page of isComplete ? pages(store.records, query, PAGE) : []) {
    const open = page
      .filter(isReadable)
      .filter(({ value }) => !isTerminal(value) && !value.cancelRequestedAt);
    records += open.length;
    await pMap(open, (stored) => cancelOne(services, stored, running), { concurrency: WRITES_AT_ONCE });
    const last = page.at(-1);
    if (page.length === PAGE && last && isReadable(last)) {
      await noteThrough(services, batch.id, last.value.createdAt);
    }
    if (page.length === PAGE && isOver()) {
      isComplete = false;
      break;
    }
  }
  if (isComplete) {
    const through = later(startedAt, -APPEARS_WITHIN_MS);
    const known = batch.value.cancelledThrough?.getTime() ?? 0;
    // Looking at nothing again costs nothing, and a write each minute would.
    if (records > 0 || through.getTime() - known > HOUR_MS) {
      await noteThrough(services, batch.id, through);
    }
  }
  const operations = await cancelOperations(services, running, deadline);
  return { records, operations };
}

async function cancelOne(
  services: Services,
  stored: Stored<ExportRecord>,
  running: Stored<ActiveRecord>[],
): Promise<void> {
  try {
    const after = await requestCancelling(services, stored);
    if (isToCancelAtEarthEngine(after)) {
      running.push(after);
    }
  } catch (error) {
    // Deleted, or written without end by others: one record must not keep the rest of a batch running.
    if (!(error instanceof StaleWriteError)) {
      throw error;
    }
    services.log.error('record.failed', error, { recordId: stored.id });
  }
}

async function noteThrough(services: Services, batchId: string, through: Date): Promise<void> {
  await changeBatch(services, batchId, (batch) => {
    if (!batch || (batch.cancelledThrough && batch.cancelledThrough >= through)) {
      return undefined;
    }
    return { ...batch, cancelledThrough: through };
  });
}

/**
 * What a run of pollExports does for batches that were cancelled: goes on where the cancellation stopped, and cancels what
 * has appeared since. One read a batch where there is nothing.
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
