import {
  AggregateField,
  FieldPath,
  FieldValue,
  type DocumentReference,
  type DocumentSnapshot,
  type Firestore,
  type Query as FirestoreQuery,
  type WriteBatch,
  type WriteResult,
} from '@google-cloud/firestore';

import { ServiceError, StaleWriteError } from '../../errors.ts';
import { rpcCodeOf, rpcCodes } from '../../rpc-codes.ts';
import type { BoundedCall } from '../bounded-call.ts';
import { parseDocument, type Collection } from '../collections.ts';
import { changedFields, type Fields } from '../fields.ts';
import { requireDocumentId } from '../limits.ts';
import type { Query } from '../queries.ts';
import type { Created, Documents, Found, Stored } from '../store.ts';
import { fromFirestore } from './values.ts';
import { formatVersion, PARTS_FIELD, partsIn, updateTimeOf } from './version.ts';

/** How many documents one read requests. */
const READ_CHUNK = 300;

/** A document can be deleted between a failed create and the read that follows: then another create succeeds. */
const CREATE_TRIES = 3;

/** What is committed together with a document. */
export interface CommitExtras {
  /** Fields of the document beyond its schema. */
  readonly fields?: Fields;
  /** Adds other documents. */
  readonly addTo: (batch: WriteBatch) => void;
}

interface FirestoreDocuments<T> extends Documents<T> {
  readonly reference: (id: string) => DocumentReference;
  create(id: string, value: T, extras?: CommitExtras): Promise<Created<T>>;
  replace(stored: Stored<T>, next: T, extras?: CommitExtras): Promise<Stored<T>>;
}

export function firestoreDocuments<T extends object>(
  database: Firestore,
  call: BoundedCall,
  collection: Collection<T>,
): FirestoreDocuments<T> {
  const { path } = collection;
  const reference = (id: string) => {
    // The client throws for some invalid ids, changes others, and sends the rest to the server.
    requireDocumentId(path, id);
    return database.collection(path).doc(id);
  };
  const reads = documentReads(database, call, collection, reference);

  async function create(id: string, value: T, extras?: CommitExtras): Promise<Created<T>> {
    for (let tries = 1; ; tries++) {
      const batch = database.batch();
      batch.create(reference(id), { ...value, ...extras?.fields });
      extras?.addTo(batch);
      try {
        const results = await call('create', `${path}/${id}`, () => batch.commit());
        return { created: { id, value, version: writtenVersion(results, extras, 0) } };
      } catch (error) {
        if (rpcCodeOf(error) !== rpcCodes.ALREADY_EXISTS) {
          throw error;
        }
        const existing = await reads.get(id);
        if (existing) {
          return { existing };
        }
        if (tries === CREATE_TRIES) {
          throw error;
        }
      }
    }
  }

  async function replace(stored: Stored<T>, next: T, extras?: CommitExtras): Promise<Stored<T>> {
    const { id, value, version } = stored;
    const { set, dropped } = changedFields(value as Fields, next as Fields);
    const changes: Record<string, unknown> = { ...set, ...extras?.fields };
    for (const name of dropped) {
      changes[name] = FieldValue.delete();
    }
    if (Object.keys(changes).length === 0) {
      // The condition is checked only by an update, and an update must name a field.
      const [name = '', unchanged] = Object.entries(next)[0] ?? [];
      changes[name] = unchanged;
    }
    const batch = database.batch();
    batch.update(reference(id), changes, { lastUpdateTime: updateTimeOf(version) });
    extras?.addTo(batch);
    try {
      const results = await call('replace', `${path}/${id}`, () => batch.commit());
      return { id, value: next, version: writtenVersion(results, extras, partsIn(version)) };
    } catch (error) {
      const code = rpcCodeOf(error);
      if (code !== rpcCodes.FAILED_PRECONDITION && code !== rpcCodes.NOT_FOUND) {
        throw error;
      }
      throw new StaleWriteError(`${path}/${id}`, { cause: error });
    }
  }

  return { reference, ...reads, create, replace };
}

function documentReads<T extends object>(
  database: Firestore,
  call: BoundedCall,
  collection: Collection<T>,
  reference: (id: string) => DocumentReference,
): Omit<Documents<T>, 'create' | 'replace'> {
  const { path } = collection;

  const read = (snapshot: DocumentSnapshot): Found<T> | undefined => {
    const data = snapshot.data();
    if (!data || !snapshot.updateTime) {
      return undefined;
    }
    const version = formatVersion(snapshot.updateTime, Number(data[PARTS_FIELD] ?? 0));
    return parseDocument(collection, snapshot.id, version, fromFirestore(data));
  };
  const readAll = (snapshots: readonly DocumentSnapshot[]): Found<T>[] =>
    snapshots.map(read).filter((found) => found !== undefined);

  const select = ({ where, orderBy }: Query): FirestoreQuery => {
    let selected: FirestoreQuery = database.collection(path);
    for (const [field, op, value] of where) {
      selected = selected.where(field, op, value);
    }
    for (const [field, direction] of orderBy) {
      selected = selected.orderBy(field, direction);
    }
    return selected;
  };

  return {
    get: (id) => call('read', `${path}/${id}`, async () => read(await reference(id).get())),

    async getMany(ids) {
      const unique = [...new Set(ids)];
      const found: Found<T>[] = [];
      for (let start = 0; start < unique.length; start += READ_CHUNK) {
        const chunk = unique.slice(start, start + READ_CHUNK).map(reference);
        const target = `${chunk.length} of ${path}`;
        found.push(...readAll(await call('read', target, () => database.getAll(...chunk))));
      }
      return found;
    },

    async find(query, { limit, after = [] }) {
      let page = select(query);
      if (after.length > query.orderBy.length) {
        page = page.orderBy(FieldPath.documentId(), query.orderBy.at(-1)?.[1] ?? 'asc');
      }
      if (after.length > 0) {
        page = page.startAfter(...after);
      }
      const { docs } = await call('query', path, () => page.limit(limit).get());
      return readAll(docs);
    },

    async count(query) {
      const result = await call('count', path, () => select(query).count().get());
      return result.data().count;
    },

    async sum(query, field) {
      const total = AggregateField.sum(field);
      const result = await call('sum', path, () => select(query).aggregate({ total }).get());
      return result.data().total;
    },

    // The client itself reconnects after interruptions, and then reports only what changed meanwhile.
    watch: (query, limit, watcher) =>
      select(query)
        .limit(limit)
        .onSnapshot(
          (snapshot) => {
            const first = snapshot.docChanges().length === snapshot.size;
            const changed = snapshot.docChanges().filter(({ type }) => type !== 'removed');
            if (changed.length > 0 || first) {
              watcher.changed(readAll(changed.map(({ doc }) => doc)));
            }
          },
          (error) => {
            const message = `Firestore ended the watch of ${path}: ${error.message}`;
            watcher.failed(new ServiceError('STORE_FAILED', message, { cause: error }));
          },
        ),
  };
}

/** The version that a commit gave its first document, which had `partsBefore` request parts. */
function writtenVersion(
  [first]: readonly WriteResult[],
  extras: CommitExtras | undefined,
  partsBefore: number,
): string {
  if (!first) {
    throw new ServiceError('STORE_FAILED', 'Firestore returned no write time for a commit');
  }
  return formatVersion(first.writeTime, Number(extras?.fields?.[PARTS_FIELD] ?? partsBefore));
}
