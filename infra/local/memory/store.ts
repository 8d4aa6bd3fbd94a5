import { ServiceError, StaleWriteError, UnreadableError } from '../../../shared/errors.ts';
import type { ExportRecord } from '../../../shared/model/record.ts';
import { collections, parseDocument, type Collection } from '../../../shared/store/collections.ts';
import { evaluate, type Row } from './evaluate.ts';
import { changedFields, copyFields, type Fields } from '../../../shared/store/fields.ts';
import { refusalOf, requireDocumentId } from '../../../shared/store/limits.ts';
import type { Query } from '../../../shared/store/queries.ts';
import type { Created, Documents, Found, Page, Records, Store, Stored } from '../../../shared/store/store.ts';

/** A store within the process, for the demo and for tests. What it holds ends with it. */
export interface MemoryStore extends Store {
  /** Writes a document as an outsider would: whole, unparsed, unconditioned. `path` is `collection/id`. */
  put(path: string, fields: Fields): void;
  /** A document as it stands, unparsed; undefined where none is. */
  peek(path: string): Fields | undefined;
  /** Deletes a document with what belongs to it, as Firestore's TTL does. */
  remove(path: string): void;
}

interface StoredRow extends Row {
  readonly version: string;
}
type Rows = Map<string, StoredRow>;

/** Behaves as `createFirestoreStore` does: one contract suite runs against both. */
export function createMemoryStore(): MemoryStore {
  const requests = new Map<string, Uint8Array>();
  const tables = new Map<string, Rows>();
  let writes = 0;

  const table = (path: string): Rows => {
    const rows = tables.get(path) ?? new Map<string, StoredRow>();
    tables.set(path, rows);
    return rows;
  };
  /** As Firestore, which takes no such document however often it is asked. */
  const write = (rows: Rows, id: string, fields: Fields): StoredRow => {
    const refusal = refusalOf(id, fields);
    if (refusal !== undefined) {
      throw new ServiceError('STORE_FAILED', `${id} was not written: ${refusal}`);
    }
    const row = { id, fields: copyFields(fields), version: String(++writes) };
    rows.set(id, row);
    return row;
  };
  const locate = (path: string): [Rows, string] => {
    const slash = path.indexOf('/');
    return [table(path.slice(0, slash)), path.slice(slash + 1)];
  };

  function documents<T extends object>(collection: Collection<T>): Documents<T> {
    const rows = table(collection.path);
    const read = ({ id, version, fields }: StoredRow): Found<T> =>
      parseDocument(collection, id, version, copyFields(fields));

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
        return { created: { id, value, version: write(rows, id, value as Fields).version } };
      },

      async replace(stored: Stored<T>, next: T): Promise<Stored<T>> {
        const { id } = stored;
        const row = rows.get(id);
        if (row?.version !== stored.version) {
          throw new StaleWriteError(`${collection.path}/${id}`);
        }
        const { set, dropped } = changedFields(stored.value as Fields, next as Fields);
        const kept = Object.entries(row.fields).filter(([name]) => !dropped.includes(name));
        const { version } = write(rows, id, { ...Object.fromEntries(kept), ...set });
        return { id, value: next, version };
      },

      async find(query: Query, { limit, after }: Page): Promise<Found<T>[]> {
        return evaluate(query, rows.values(), after).slice(0, limit).map(read);
      },

      async count(query: Query): Promise<number> {
        return evaluate(query, rows.values()).length;
      },

      async sum(query: Query, field: string): Promise<number> {
        let total = 0;
        for (const { fields } of evaluate(query, rows.values())) {
          const value = fields[field];
          if (typeof value === 'number') {
            total += value;
          }
        }
        return total;
      },
    };
  }

  const recordRows = table(collections.records.path);
  const plainRecords = documents(collections.records);
  const records: Records = {
    ...plainRecords,

    async create(id: string, value: ExportRecord, request?: Uint8Array): Promise<Created<ExportRecord>> {
      const isNew = !recordRows.has(id);
      // Written when the call returns, so that nobody finds the record without its request.
      const creating = plainRecords.create(id, value);
      if (request && isNew && recordRows.has(id)) {
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
      if (request && recordRows.get(id)?.version === version) {
        requests.set(id, new Uint8Array(request));
      }
      return plainRecords.replace(stored, next);
    },

    async readRequest(id: string): Promise<Uint8Array> {
      const request = requests.get(id);
      if (!request) {
        throw new UnreadableError(`${collections.records.path}/${id}/request`, 'it has no parts');
      }
      return new Uint8Array(request);
    },

    async defer(id: string, problem: string, dueAt: Date): Promise<void> {
      const row = recordRows.get(id);
      if (row) {
        write(recordRows, id, { ...row.fields, setAside: { problem }, dueAt });
      }
    },
  };

  return {
    records,
    projects: documents(collections.projects),
    sweeps: documents(collections.sweeps),
    rejectedMessages: documents(collections.rejectedMessages),
    batches: documents(collections.batches),
    async close() {},

    put(path: string, fields: Fields): void {
      const [rows, id] = locate(path);
      write(rows, id, fields);
    },
    peek(path: string): Fields | undefined {
      const [rows, id] = locate(path);
      const row = rows.get(id);
      return row && copyFields(row.fields);
    },
    remove(path: string): void {
      const [rows, id] = locate(path);
      rows.delete(id);
      if (rows === recordRows) {
        requests.delete(id);
      }
    },
  };
}
