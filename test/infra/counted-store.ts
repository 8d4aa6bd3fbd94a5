import { createMemoryStore } from '../../infra/local/memory/store.ts';
import type { Documents, Records, Store } from '../../shared/store/store.ts';

/** What Firestore bills: https://cloud.google.com/firestore/docs/billing-details */
export interface Operations {
  reads: number;
  writes: number;
}

/** A store that counts what its Firestore twin would be billed for. */
export function createCountedStore(): { readonly store: Store; readonly operations: Operations } {
  const operations: Operations = { reads: 0, writes: 0 };
  const memory = createMemoryStore();
  const store: Store = {
    records: countedRecords(memory.records, operations),
    projects: counted(memory.projects, operations),
    sweeps: counted(memory.sweeps, operations),
    rejectedMessages: counted(memory.rejectedMessages, operations),
    batches: counted(memory.batches, operations),
    close: () => memory.close(),
  };
  return { store, operations };
}

function counted<T>(documents: Documents<T>, operations: Operations): Documents<T> {
  /** A query that finds nothing is billed as one read. */
  const read = <R extends readonly unknown[]>(found: R): R => {
    operations.reads += Math.max(1, found.length);
    return found;
  };
  return {
    get: async (id) => {
      operations.reads += 1;
      return documents.get(id);
    },
    getMany: async (ids) => {
      operations.reads += ids.length;
      return documents.getMany(ids);
    },
    create: async (id, value) => {
      operations.writes += 1;
      const outcome = await documents.create(id, value);
      if ('existing' in outcome) {
        operations.reads += 1;
      }
      return outcome;
    },
    replace: async (stored, next) => {
      operations.writes += 1;
      return documents.replace(stored, next);
    },
    find: async (query, page) => read(await documents.find(query, page)),
    // One read per thousand index entries.
    count: async (query) => {
      const count = await documents.count(query);
      operations.reads += Math.max(1, Math.ceil(count / 1000));
      return count;
    },
    sum: async (query, field) => {
      operations.reads += Math.max(1, Math.ceil((await documents.count(query)) / 1000));
      return documents.sum(query, field);
    },
  };
}

/** Requests here fit one part, which is written with the record, and again when it gets its `expireAt`. */
function countedRecords(records: Records, operations: Operations): Records {
  return {
    ...counted(records, operations),
    create: async (id, value, request) => {
      operations.writes += request ? 2 : 1;
      const outcome = await records.create(id, value, request);
      if ('existing' in outcome) {
        operations.reads += 1;
      }
      return outcome;
    },
    replace: async (stored, next, request) => {
      const expires = 'expireAt' in next && !('expireAt' in stored.value);
      operations.writes += request || expires ? 2 : 1;
      return records.replace(stored, next, request);
    },
    readRequest: async (id) => {
      operations.reads += 1;
      return records.readRequest(id);
    },
    defer: async (id, problem, dueAt) => {
      operations.writes += 1;
      return records.defer(id, problem, dueAt);
    },
  };
}
