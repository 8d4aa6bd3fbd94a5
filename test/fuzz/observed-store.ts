import { UnreadableError } from '../../shared/errors.ts';
import type { Batch } from '../../shared/model/batch.ts';
import type { ExportRecord } from '../../shared/model/record.ts';
import { isReadable, type Store } from '../../shared/store/store.ts';

/** Is called with every commit, as it happens. */
export interface Observer {
  record(id: string, before: ExportRecord | undefined, after: ExportRecord): void;
  batch(id: string, before: Batch | undefined, after: Batch): void;
}

/** A store that reports its commits, and in which the request parts of a record can be missing. */
export function observeStore(store: Store, lostRequests: Set<string>, observer: Observer): Store {
  const { records, batches } = store;
  return {
    ...store,
    records: {
      ...records,
      create: async (id, value, request) => {
        const outcome = await records.create(id, value, request);
        if ('created' in outcome) {
          if (request) {
            lostRequests.delete(id);
          }
          observer.record(id, undefined, value);
        }
        return outcome;
      },
      replace: async (stored, next, request) => {
        const written = await records.replace(stored, next, request);
        observer.record(stored.id, stored.value, next);
        return written;
      },
      readRequest: async (id) => {
        const found = await records.get(id);
        if (lostRequests.has(id) && found && isReadable(found)) {
          throw new UnreadableError(`videoExports/${id}/request`, 'part 0 is missing');
        }
        return records.readRequest(id);
      },
    },
    batches: {
      ...batches,
      create: async (id, value) => {
        const outcome = await batches.create(id, value);
        if ('created' in outcome) {
          observer.batch(id, undefined, value);
        }
        return outcome;
      },
      replace: async (stored, next) => {
        const written = await batches.replace(stored, next);
        observer.batch(stored.id, stored.value, next);
        return written;
      },
    },
  };
}
