import { ServiceError, StaleWriteError, UnreadableError } from '../../../shared/errors.ts';
import type { ExportRecord } from '../../../shared/model/record.ts';
import { collections, parseDocument, type Collection } from '../../../shared/store/collections.ts';
import { changedFields, copyFields, type Fields } from '../../../shared/store/fields.ts';
import { documentProblem, isTimestamp, requireDocumentId } from '../../../shared/store/limits.ts';
import type { Query } from '../../../shared/store/queries.ts';
import type {
  Budgets,
  Created,
  Documents,
  Found,
  Page,
  Records,
  Store,
  Stored,
  Watcher,
} from '../../../shared/store/store.ts';
import { evaluate, matches, type Row } from './evaluate.ts';
import { createIndexes } from './indexes.ts';

/** An in-process store, for the demo and for tests. Its data is lost when the process ends. */
export interface MemoryStore extends Store {
  /** Writes a document as another program would: whole, unparsed, unconditionally. `path` is `collection/id`. */
  put(path: string, fields: Fields): void;
  /** The document as stored, unparsed; undefined if there is none. */
  peek(path: string): Fields | undefined;
  /** Deletes a document and what belongs to it, as Firestore's TTL does. */
  remove(path: string): void;
}

/** Behaves like `createFirestoreStore`: one contract suite runs against both. */
export function createMemoryStore(): MemoryStore {
  const requests = new Map<string, Uint8Array>();
  const tables = new Map<string, Table>();

  const tableOf = (path: string): Table => {
    const table = tables.get(path) ?? createTable();
    tables.set(path, table);
    return table;
  };
  const documents = <T extends object>(collection: Collection<T>): Documents<T> =>
    memoryDocuments(tableOf(collection.path), collection);
  const locate = (path: string): [Table, string] => {
    const slash = path.indexOf('/');
    return [tableOf(path.slice(0, slash)), path.slice(slash + 1)];
  };

  return {
    records: memoryRecords(tableOf(collections.records.path), requests),
    projects: documents(collections.projects),
    sweeps: documents(collections.sweeps),
    lists: documents(collections.lists),
    rejectedMessages: documents(collections.rejectedMessages),
    batches: documents(collections.batches),
    budgets: memoryBudgets(tableOf(collections.budgets.path)),
    budgetStatus: documents(collections.budgetStatus),
    settings: documents(collections.settings),
    async close() {},

    put(path: string, fields: Fields): void {
      const [table, id] = locate(path);
      table.write(id, fields);
    },
    peek(path: string): Fields | undefined {
      const [{ rows }, id] = locate(path);
      const row = rows.get(id);
      return row && copyFields(row.fields);
    },
    remove(path: string): void {
      const [table, id] = locate(path);
      table.remove(id);
      if (table === tableOf(collections.records.path)) {
        requests.delete(id);
      }
      for (const notice of table.watches) {
        notice();
      }
    },
  };
}

interface StoredRow extends Row {
  readonly version: string;
}

interface Table {
  readonly rows: ReadonlyMap<string, StoredRow>;
  /** The rows that a query can find, and perhaps others. */
  candidates(query: Query): Iterable<StoredRow>;
  /** Called after each write. */
  readonly watches: Set<() => void>;
  write(id: string, fields: Fields): StoredRow;
  remove(id: string): void;
}

function createTable(): Table {
  const rows = new Map<string, StoredRow>();
  const indexes = createIndexes(rows);
  const watches = new Set<() => void>();
  let writes = 0;
  const remove = (id: string): void => {
    const row = rows.get(id);
    if (row) {
      indexes.removed(row);
      rows.delete(id);
    }
  };
  return {
    rows,
    candidates: (query) => indexes.candidates(query),
    watches,
    remove,
    write(id, fields) {
      const problem = documentProblem(id, fields);
      if (problem !== undefined) {
        throw new ServiceError('STORE_FAILED', `cannot write ${id}: ${problem}`);
      }
      const row = { id, fields: copyFields(fields), version: String(++writes) };
      const before = rows.get(id);
      if (before) {
        indexes.removed(before);
      }
      rows.set(id, row);
      indexes.added(row);
      for (const notice of watches) {
        notice();
      }
      return row;
    },
  };
}

function memoryDocuments<T extends object>(table: Table, collection: Collection<T>): Documents<T> {
  const { rows } = table;
  const read = ({ id, version, fields }: StoredRow): Found<T> =>
    parseDocument(collection, id, version, copyFields(fields));
  const matching = (query: Query): StoredRow[] =>
    [...table.candidates(query)].filter(({ fields }) => matches(query, fields));

  return {
    async get(id: string): Promise<Found<T> | undefined> {
      requireDocumentId(collection.path, id);
      const row = rows.get(id);
      return row && read(row);
    },

    async getMany(ids: readonly string[]): Promise<Found<T>[]> {
      for (const id of ids) {
        requireDocumentId(collection.path, id);
      }
      return [...new Set(ids)].flatMap((id) => rows.get(id) ?? []).map(read);
    },

    async create(id: string, value: T): Promise<Created<T>> {
      const row = rows.get(id);
      if (row) {
        return { existing: read(row) };
      }
      return { created: { id, value, version: table.write(id, value as Fields).version } };
    },

    async replace(stored: Stored<T>, next: T): Promise<Stored<T>> {
      const { id } = stored;
      const row = rows.get(id);
      if (row?.version !== stored.version) {
        throw new StaleWriteError(`${collection.path}/${id}`);
      }
      const { set, dropped } = changedFields(stored.value as Fields, next as Fields);
      const kept = Object.entries(row.fields).filter(([name]) => !dropped.includes(name));
      const { version } = table.write(id, { ...Object.fromEntries(kept), ...set });
      return { id, value: next, version };
    },

    async find(query: Query, page: Page): Promise<Found<T>[]> {
      requirePage(collection.path, query, page);
      return evaluate(query, table.candidates(query), page.after, page.limit).map(read);
    },

    async count(query: Query): Promise<number> {
      return matching(query).length;
    },

    async sum(query: Query, field: string): Promise<number> {
      let total = 0;
      for (const { fields } of matching(query)) {
        const value = fields[field];
        if (typeof value === 'number') {
          total += value;
        }
      }
      return total;
    },

    watch(query: Query, limit: number, watcher: Watcher<T>): () => void {
      let reported: ReadonlyMap<string, string> | undefined;
      let report: NodeJS.Immediate | undefined;
      const notice = (): void => {
        report ??= setImmediate(() => {
          report = undefined;
          const found = evaluate(query, table.candidates(query)).slice(0, limit);
          const changed = found.filter(({ id, version }) => reported?.get(id) !== version);
          if (changed.length > 0 || !reported) {
            reported = new Map(found.map(({ id, version }) => [id, version]));
            watcher.changed(changed.map(read));
          }
        });
      };
      table.watches.add(notice);
      notice();
      return () => {
        table.watches.delete(notice);
        clearImmediate(report);
      };
    },
  };
}

/** Firestore refuses a page that no document can be on. */
function requirePage(path: string, { orderBy }: Query, { limit, after = [] }: Page): void {
  if (!Number.isInteger(limit) || limit < 0) {
    throw new ServiceError('STORE_FAILED', `${limit} is not a number of documents (${path})`);
  }
  for (const value of after) {
    if (value instanceof Date && !isTimestamp(value)) {
      throw new ServiceError('STORE_FAILED', `a page of ${path} cannot start after ${value.getTime()}`);
    }
  }
  if (after.length > orderBy.length) {
    requireDocumentId(path, String(after.at(-1)));
  }
}

function memoryBudgets(table: Table): Budgets {
  const { path } = collections.budgets;
  return {
    ...memoryDocuments(table, collections.budgets),
    async put(id, value) {
      requireDocumentId(path, id);
      table.write(id, value);
    },
    async remove(id) {
      requireDocumentId(path, id);
      table.remove(id);
    },
  };
}

function memoryRecords(table: Table, requests: Map<string, Uint8Array>): Records {
  const { rows } = table;
  const documents = memoryDocuments(table, collections.records);
  return {
    ...documents,

    async create(id: string, value: ExportRecord, request?: Uint8Array): Promise<Created<ExportRecord>> {
      const isNew = !rows.has(id);
      // Not awaited before the request is stored: no other caller can read the record without its request.
      const creating = documents.create(id, value);
      if (request && isNew && rows.has(id)) {
        requests.set(id, new Uint8Array(request));
      }
      return creating;
    },

    async replace(
      stored: Stored<ExportRecord>,
      next: ExportRecord,
      request?: Uint8Array,
    ): Promise<Stored<ExportRecord>> {
      const { id, version } = stored;
      if (request && rows.get(id)?.version === version) {
        requests.set(id, new Uint8Array(request));
      }
      return documents.replace(stored, next);
    },

    async readRequest(id: string): Promise<Uint8Array> {
      const request = requests.get(id);
      if (!request) {
        throw new UnreadableError(`${collections.records.path}/${id}/request`, 'it has no parts');
      }
      return new Uint8Array(request);
    },

    async defer(id: string, problem: string, dueAt: Date): Promise<void> {
      const row = rows.get(id);
      if (row) {
        table.write(id, { ...row.fields, setAside: { problem }, dueAt });
      }
    },
  };
}
