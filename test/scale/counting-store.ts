import type { ExportRecord } from '../../shared/model/record.ts';
import type { Documents, Records, Store } from '../../shared/store/store.ts';

/** What Firestore would bill (https://firebase.google.com/docs/firestore/pricing#operations). */
export interface Bill {
  /** Documents returned, one at least for each query; a count or sum one per 1,000 index entries. */
  reads: number;
  writes: number;
}

export interface CountingStore extends Store {
  readonly bill: Bill;
  /** What was read and written since the last time that this was asked. */
  takeBill(): Bill;
}

const ENTRIES_PER_READ = 1000;

/** A store that counts what is asked of it. */
export function countStore(store: Store): CountingStore {
  const bill: Bill = { reads: 0, writes: 0 };

  function count<T>(documents: Documents<T>): Documents<T> {
    const aggregate = async (query: Parameters<Documents<T>['count']>[0]) => {
      const entries = await documents.count(query);
      bill.reads += Math.max(1, Math.ceil(entries / ENTRIES_PER_READ));
      return entries;
    };
    return {
      get: (id) => {
        bill.reads += 1;
        return documents.get(id);
      },
      getMany: (ids) => {
        bill.reads += new Set(ids).size;
        return documents.getMany(ids);
      },
      create: (id, value) => {
        bill.writes += 1;
        return documents.create(id, value);
      },
      replace: (stored, next) => {
        bill.writes += 1;
        return documents.replace(stored, next);
      },
      find: async (query, page) => {
        const found = await documents.find(query, page);
        bill.reads += Math.max(1, found.length);
        return found;
      },
      count: aggregate,
      sum: async (query, field) => {
        await aggregate(query);
        return documents.sum(query, field);
      },
    };
  }

  const records: Records = {
    ...count<ExportRecord>(store.records),
    create: (id, value, request) => {
      bill.writes += request ? 2 : 1;
      return store.records.create(id, value, request);
    },
    replace: (stored, next, request) => {
      bill.writes += request ? 2 : 1;
      return store.records.replace(stored, next, request);
    },
    readRequest: (id) => {
      bill.reads += 1;
      return store.records.readRequest(id);
    },
    defer: (id, problem, dueAt) => {
      bill.writes += 1;
      return store.records.defer(id, problem, dueAt);
    },
  };
  return {
    records,
    projects: count(store.projects),
    sweeps: count(store.sweeps),
    rejectedMessages: count(store.rejectedMessages),
    batches: count(store.batches),
    close: () => store.close(),
    bill,
    takeBill: () => {
      const taken = { ...bill };
      bill.reads = 0;
      bill.writes = 0;
      return taken;
    },
  };
}
