import { HOUR_MS, later } from '../clock.ts';
import { deliveryStates } from '../model/delivery.ts';
import { isOfBatch } from '../record/batches.ts';
import { terminalStates } from '../model/record.ts';
import type { Services } from '../services.ts';
import { batchQueries, recordQueries, rejectedMessageQueries } from '../store/queries.ts';
import { pages } from '../store/pages.ts';
import { isReadable, type Stored } from '../store/store.ts';
import { type Batch, LAST_ARRIVAL_MS, ON_THE_WAY_MS, reopenedBatch } from '../model/batch.ts';
import { changeBatch } from './change-batch.ts';
import { eachBatch } from './each-batch.ts';

/** Finishes the batches whose jobs have all ended. A batch that still has work costs one count per run, whatever its size. */

const PAGE = 300;
const EVENT_TIMEOUT_MS = 2000;

/** The part of a pollExports run that finishes batches. A batch that fails is left to the next run. */
export async function finishBatches(services: Services, deadline: Date): Promise<number> {
  let finished = 0;
  await eachBatch(services, batchQueries.running(), deadline, async (stored) => {
    if (await finishBatch(services, stored)) {
      finished += 1;
    }
  });
  await eachBatch(services, batchQueries.pendingEvents(), deadline, (stored) =>
    publishEvent(services, stored),
  );
  await eachBatch(services, batchQueries.finishedSince(lateSince(services)), deadline, (stored) =>
    reopenForLateJob(services, stored),
  );
  return finished;
}

/**
 * How far back finished batches are checked for a late job: one whose message was still on its way while another job with
 * the batch's id was counted in its place, or whose retry stood still and then crashed. It usually arrives soon, so older
 * batches are checked only once an hour.
 */
function lateSince({ clock }: Services): Date {
  const now = clock.now();
  return later(now, now.getUTCMinutes() === 0 ? -ON_THE_WAY_MS : -HOUR_MS);
}

/** Costs one read and two counts if no job has arrived. The next run counts a job that has, and publishes another event. */
async function reopenForLateJob(services: Services, { id, value }: Stored<Batch>): Promise<void> {
  const { finishedAt } = value;
  if (value.state !== 'FINISHED' || finishedAt === undefined) {
    return;
  }
  const { records } = services.store;
  const [[late], unfinished, shared] = await Promise.all([
    records.find(recordQueries.ofBatchSince(id, later(finishedAt, 1)), { limit: 1 }),
    // A retry decides when its record was created, and may write it much later.
    records.count(recordQueries.unfinishedOfBatch(id)),
    records.count(recordQueries.alsoUnfinishedOfBatch(id)),
  ]);
  if (!late && unfinished + shared === 0) {
    return;
  }
  const { written } = await changeBatch(services, id, (batch) =>
    batch?.state === 'FINISHED' && batch.revision === value.revision ? reopenedBatch(batch) : undefined,
  );
  if (written) {
    services.log.warning('batch.reopened', { batchId: id, recordId: late?.id, unfinished, shared });
  }
}

/** @returns whether this call finished it */
async function finishBatch(services: Services, stored: Stored<Batch>): Promise<boolean> {
  const { store, clock, log, policy } = services;
  const { id, value: batch } = stored;
  const isGrowing = batch.claim !== undefined && batch.claim.leaseUntil > clock.now();
  if (
    isGrowing ||
    (await store.records.count(recordQueries.unfinishedOfBatch(id))) > 0 ||
    (await store.records.count(recordQueries.alsoUnfinishedOfBatch(id))) > 0
  ) {
    return false;
  }
  const withoutRecord = await jobsWithoutRecord(services, stored);
  if (withoutRecord === undefined) {
    return false;
  }

  const totals = { ...(await totalsOf(services, id)), ...withoutRecord };
  const now = clock.now();
  const { claim: _over, ...rest } = batch;
  const finished = await store.batches.replace(stored, {
    ...rest,
    ...totals,
    state: 'FINISHED',
    owesEvent: true,
    revision: batch.revision + 1,
    finishedAt: now,
    updatedAt: now,
    expireAt: later(now, policy.retentionMs),
  });
  log.info('batch.finished', { batchId: id, jobs: batch.jobs, ...totals });
  await publishEvent(services, finished);
  return true;
}

/** Shared jobs count in each of their batches, but their cost counts only in the batch that created the record. */
async function totalsOf({ store: { records } }: Services, id: string) {
  const [eecuSeconds, ...totals] = await Promise.all([
    records.sum(recordQueries.terminalOfBatch(id), 'eecuSeconds'),
    ...terminalStates.map(async (state) => {
      const own = await records.count(recordQueries.ofBatchIn(id, [state]));
      return own + (await records.count(recordQueries.alsoOfBatchIn(id, [state])));
    }),
  ]);
  const counts: Batch['counts'] = {};
  terminalStates.forEach((state, index) => {
    const total = totals[index] ?? 0;
    if (total > 0) {
      counts[state] = total;
    }
  });
  return { counts, ...(await deliveriesOf(records, id, counts.SUCCEEDED)), eecuSeconds };
}

/** Only jobs that succeeded have a delivery; those before this field existed have none. */
async function deliveriesOf(
  records: Services['store']['records'],
  id: string,
  succeeded = 0,
): Promise<Pick<Batch, 'deliveries'>> {
  if (succeeded === 0) {
    return {};
  }
  const deliveries: Batch['deliveries'] = {};
  await Promise.all(
    deliveryStates.map(async (state) => {
      const own = await records.count(recordQueries.ofBatchDelivered(id, state));
      const total = own + (await records.count(recordQueries.alsoOfBatchDelivered(id, state)));
      if (total > 0) {
        deliveries[state] = total;
      }
    }),
  );
  return { deliveries };
}

/**
 * Checks, for a batch without unfinished records, whether every published job has ended: each has a record in this batch
 * (later attempts do not count), which another batch may have created, or was rejected. A job whose message is still on its
 * way has none. When no message can arrive anymore, jobs that are still missing do not hold up the batch: their records were
 * deleted while the batch was running.
 *
 * @returns how many jobs have no record, and why; undefined if jobs may still arrive
 */
async function jobsWithoutRecord(
  { store, clock }: Services,
  { id, value: batch }: Stored<Batch>,
): Promise<Pick<Batch, 'rejectedMessages' | 'expired'> | undefined> {
  const [records, retries, shared, sharedRetries, rejected] = await Promise.all([
    store.records.count(recordQueries.terminalOfBatch(id)),
    store.records.count(recordQueries.retriesOfBatch(id)),
    store.records.count(recordQueries.alsoOfBatch(id)),
    store.records.count(recordQueries.alsoRetriesOfBatch(id)),
    store.rejectedMessages.count(rejectedMessageQueries.ofBatch(id)),
  ]);
  const missing = batch.published - (batch.existing ?? 0) - (shared - sharedRetries) - (records - retries);
  const hasAllMessages = clock.now() >= later(batch.expandedAt ?? batch.createdAt, LAST_ARRIVAL_MS);
  if (missing > rejected && !hasAllMessages) {
    return undefined;
  }
  // A message that was published twice is rejected twice, so rejected messages are counted by record id.
  const distinct = rejected === 0 ? 0 : await countRejectedJobs(store, id);
  if (missing <= distinct) {
    return { rejectedMessages: distinct };
  }
  return hasAllMessages ? { rejectedMessages: distinct, expired: missing - distinct } : undefined;
}

async function countRejectedJobs(store: Services['store'], batchId: string): Promise<number> {
  const query = rejectedMessageQueries.ofBatch(batchId);
  const recordIds = new Set<string>();
  let unnamed = 0;
  for await (const page of pages(store.rejectedMessages, query, PAGE)) {
    for (const found of page) {
      const recordId = isReadable(found) ? found.value.recordId : undefined;
      if (recordId === undefined) {
        unnamed += 1;
      } else {
        recordIds.add(recordId);
      }
    }
  }
  // A job with a record in this batch, of which another version was rejected, is counted by its record.
  const own = (await store.records.getMany([...recordIds])).filter(
    (found) => isReadable(found) && isOfBatch(found.value, batchId),
  );
  return recordIds.size - own.length + unnamed;
}

/** Publishes the batch's pending event. A crash in between repeats it with the same eventId. */
async function publishEvent(
  { store, publisher, config, clock, log }: Services,
  stored: Stored<Batch>,
): Promise<void> {
  const { id, value: batch } = stored;
  const { owesEvent: _pending, ...published } = batch;
  const attributes = {
    eventId: `${id}:${batch.revision}:${batch.state}`,
    kind: 'BATCH',
    batchId: id,
    state: batch.state,
  };
  const message = { data: Buffer.from(JSON.stringify(published)), attributes };
  const [outcome] = await publisher.publish(config.topics.events, [message], EVENT_TIMEOUT_MS);
  if (outcome && 'error' in outcome) {
    log.warning('event.pending', { batchId: id, error: outcome.error.message });
    return;
  }
  await store.batches.replace(stored, { ...published, revision: batch.revision + 1, updatedAt: clock.now() });
}
