import type { ExportRecord } from '../shared/model/record.ts';
import type { Created, Documents, Records, Store } from '../shared/store/store.ts';

/**
 * The documents that Firestore bills (https://cloud.google.com/firestore/pricing): a read for each document returned,
 * and at least one for each query and each document requested; for a count or sum, one for each 1,000 index entries. A
 * write for each document in a commit. The page says nothing about commits whose condition fails, so they are counted
 * too. What the service does besides is in `shared/store/firestore.ts`: a lost `create` reads the existing document,
 * and a request is a separate document, written again when it gets its record's `expireAt`. Requests here fit into
 * one such document.
 */
export interface Bill {
  reads: number;
  writes: number;
}

export interface CountingStore extends Store {
  readonly bill: Bill;
  /** The reads and writes since the last call. */
  takeBill(): Bill;
}

const ENTRIES_PER_READ = 1000;

/** A store that counts the operations on another one. */
export function countStore(store: Store): CountingStore {
  const bill: Bill = { reads: 0, writes: 0 };
  const created = <T>(outcome: Created<T>): Created<T> => {
    bill.reads += 'existing' in outcome ? 1 : 0;
    return outcome;
  };

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
      create: async (id, value) => {
        bill.writes += 1;
        return created(await documents.create(id, value));
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
      watch: (query, limit, watcher) =>
        documents.watch(query, limit, {
          ...watcher,
          changed: (found) => {
            bill.reads += found.length;
            watcher.changed(found);
          },
        }),
    };
  }

  const records: Records = {
    ...count<ExportRecord>(store.records),
    create: async (id, value, request) => {
      bill.writes += request ? 2 : 1;
      return created(await store.records.create(id, value, request));
    },
    replace: (stored, next, request) => {
      const expires = 'expireAt' in next && !('expireAt' in stored.value);
      bill.writes += request || expires ? 2 : 1;
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
    lists: count(store.lists),
    rejectedMessages: count(store.rejectedMessages),
    batches: count(store.batches),
    budgets: { ...store.budgets, ...count(store.budgets) },
    budgetStatus: count(store.budgetStatus),
    settings: count(store.settings),
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
