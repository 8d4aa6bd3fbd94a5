import { StaleWriteError } from '../errors.ts';
import type { Services } from '../services.ts';
import type { Query } from '../store/queries.ts';
import { pages } from '../store/pages.ts';
import { isReadable, type Stored } from '../store/store.ts';
import type { Batch } from '../model/batch.ts';

const PAGE = 300;

/** Works on every batch of a query until none is left or the time is up. A batch that fails does not affect the others. */
export async function eachBatch(
  services: Services,
  query: Query,
  deadline: Date,
  work: (stored: Stored<Batch>) => Promise<void>,
): Promise<void> {
  const { store, clock, log, stopping } = services;
  for await (const page of pages(store.batches, query, PAGE)) {
    for (const found of page) {
      if (stopping.aborted || clock.now() >= deadline) {
        return;
      }
      try {
        if (!isReadable(found)) {
          throw found.unreadable;
        }
        await work(found);
      } catch (error) {
        // Another process wrote it meanwhile: the next run reads it again.
        if (!(error instanceof StaleWriteError)) {
          log.error('batch.failed', error, { batchId: found.id });
        }
      }
    }
  }
}
