import { changeBatch } from '../batch/change-batch.ts';
import { later, MINUTE_MS } from '../clock.ts';
import { reopenedBatch } from '../model/batch.ts';
import { CLOCKS_DIFFER_MS } from '../record/cancellation.ts';
import type { Services } from '../services.ts';

/** For one page of records. The batch does not finish before it expires. */
const LEASE_MS = 5 * MINUTE_MS;

const latest = (time: Date, ...others: readonly (Date | undefined)[]): Date =>
  others.reduce<Date>((known, other) => (other && other > known ? other : known), time);

interface Reopening {
  /** @returns false while one of the batches is still being canceled */
  reopen(batchIds: readonly string[]): Promise<boolean>;
  release(): Promise<void>;
}

/**
 * Makes batches RUNNING before their jobs are retried, and keeps them from finishing until the new records exist (rule 13).
 * This ends an earlier cancellation, since a retry means that the job is wanted: it has no effect if it is redelivered, nor
 * has another one that was published before the retry.
 */
export function createReopening(services: Services, dryRun: boolean): Reopening {
  const token = services.newToken();
  const reopened = new Map<string, Promise<boolean>>();
  const reopen = async (batchId: string): Promise<boolean> => {
    let mayRetry = true;
    await changeBatch(services, batchId, (batch, now) => {
      mayRetry = batch === undefined || batch.state === 'FINISHED' || batch.cancelRequestedAt === undefined;
      if (!batch || !mayRetry || dryRun || batch.state === 'EXPANDING') {
        return undefined;
      }
      const { cancelRequestedAt, cancelledThrough: _through, ...running } = reopenedBatch(batch);
      const retriedAt = later(now, -CLOCKS_DIFFER_MS);
      const ignoresCancellationsUntil =
        batch.state === 'FINISHED'
          ? latest(retriedAt, cancelRequestedAt, batch.ignoresCancellationsUntil)
          : batch.ignoresCancellationsUntil;
      return { ...running, ignoresCancellationsUntil, claim: { token, leaseUntil: later(now, LEASE_MS) } };
    });
    return mayRetry;
  };
  /**
   * Ends the claim. If this process stood still until the lease had expired, the batch may have finished before the new
   * records existed. One write does both: a poller that did not see the records finishes an older version, and fails.
   */
  const release = async (batchId: string): Promise<void> => {
    await changeBatch(services, batchId, (batch) => {
      if (batch?.state === 'FINISHED') {
        return reopenedBatch(batch);
      }
      if (batch?.claim?.token !== token) {
        return undefined;
      }
      const { claim: _ended, ...rest } = batch;
      return rest;
    });
  };
  return {
    reopen: async (batchIds) => {
      const reopenings = batchIds.map((batchId) => {
        const reopening = reopened.get(batchId) ?? reopen(batchId);
        reopened.set(batchId, reopening);
        return reopening;
      });
      return (await Promise.all(reopenings)).every((mayRetry) => mayRetry);
    },
    release: async () => {
      for (const [batchId, reopening] of reopened) {
        // After an error, the claim may have been written.
        if (!dryRun && (await reopening.catch(() => true))) {
          await release(batchId);
        }
      }
    },
  };
}
