import { StaleWriteError } from '../errors.ts';
import type { Services } from '../services.ts';
import { isReadable, type Stored } from '../store/store.ts';
import type { Batch } from '../model/batch.ts';

type BatchServices = Pick<Services, 'store' | 'clock'>;

/** The stored batch; undefined if there is none. @throws UnreadableError */
export async function readBatch({ store }: BatchServices, id: string): Promise<Stored<Batch> | undefined> {
  const found = await store.batches.get(id);
  if (found && !isReadable(found)) {
    throw found.unreadable;
  }
  return found;
}

export interface BatchChange {
  readonly stored: Stored<Batch> | undefined;
  readonly written: boolean;
}

/**
 * Changes a batch with optimistic concurrency: if it was written meanwhile, it is read again, and `decide` runs again.
 *
 * @param decide pure, since it may run several times; returns undefined if there is nothing to write
 * @returns the batch after the change
 */
export async function changeBatch(
  services: BatchServices,
  id: string,
  decide: (batch: Batch | undefined, now: Date) => Omit<Batch, 'revision' | 'updatedAt'> | undefined,
): Promise<BatchChange> {
  for (;;) {
    const now = services.clock.now();
    const stored = await readBatch(services, id);
    const next = decide(stored?.value, now);
    if (next === undefined) {
      return { stored, written: false };
    }
    const value: Batch = { ...next, revision: (stored?.value.revision ?? 0) + 1, updatedAt: now };
    try {
      if (stored) {
        return { stored: await services.store.batches.replace(stored, value), written: true };
      }
      const created = await services.store.batches.create(id, value);
      if ('created' in created) {
        return { stored: created.created, written: true };
      }
    } catch (error) {
      if (!(error instanceof StaleWriteError)) {
        throw error;
      }
    }
  }
}

/**
 * Ends a claim on a batch, so that the next process doesn't have to wait until the lease expires. Does nothing if another
 * process holds the claim.
 */
export async function releaseBatch(services: BatchServices, id: string, token: string): Promise<void> {
  await changeBatch(services, id, (batch) => {
    if (batch?.claim?.token !== token) {
      return undefined;
    }
    const { claim: _ended, ...rest } = batch;
    return rest;
  });
}
