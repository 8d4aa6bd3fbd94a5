import {
  AggregateField,
  FieldPath,
  FieldValue,
  Firestore,
  Timestamp,
  type DocumentReference,
  type DocumentSnapshot,
  type Query as FirestoreQuery,
  type WriteBatch,
} from '@google-cloud/firestore';

import { DAY_MS, later } from '../clock.ts';
import { ServiceError, StaleWriteError } from '../errors.ts';
import type { ExportRecord } from '../model/record.ts';
import { rpcCodes } from '../rpc-codes.ts';
import { boundedCalls, codeOf, type BoundedCall } from './bounded-call.ts';
import { collections, parseDocument, type Collection } from './collections.ts';
import { changedFields, sameValue, type Fields } from './fields.ts';
import { requireDocumentId } from './limits.ts';
import type { Query } from './queries.ts';
import { COMMITTED_PARTS, joinRequest, partId, splitRequest, type RequestPart } from './request-parts.ts';
import type { Created, Documents, Found, Page, Records, Store, Stored } from './store.ts';

export interface FirestoreStoreOptions {
  readonly projectId: string;
  /** `(default)` or a named database */
  readonly databaseId: string;
  /** host:port. FIRESTORE_EMULATOR_HOST, which the client reads by itself, wins. */
  readonly emulatorHost?: string | undefined;
  /**
   * How long a call may take in all. The client itself goes on for minutes against a database that does not answer, by
   * when whoever asked is gone. A write given up may still happen: its condition guards it then as well.
   */
  readonly timeoutMs?: number;
}

/** What is kept in Firestore, which no other file knows. */
export function createFirestoreStore({
  projectId,
  databaseId,
  emulatorHost,
  timeoutMs = 10_000,
}: FirestoreStoreOptions): Store {
  const database = new Firestore({
    projectId,
    databaseId,
    ignoreUndefinedProperties: true,
    ...(emulatorHost === undefined ? {} : { host: emulatorHost, ssl: false }),
  });
  const { call, ended } = boundedCalls('Firestore', timeoutMs);
  return {
    records: recordDocuments(database, call),
    projects: documents(database, call, collections.projects),
    sweeps: documents(database, call, collections.sweeps),
    rejectedMessages: documents(database, call, collections.rejectedMessages),
    batches: documents(database, call, collections.batches),
    async close() {
      // Terminated while it still retries, the client throws where nobody can catch it.
      if (await ended()) {
        await database.terminate();
      }
    },
  };
}

/** How many documents one read asks for. */
const READ_CHUNK = 300;

/** A document may be gone again before it is read: then it can be created after all. */
const CREATE_TRIES = 3;

/** What is committed together with a document. */
interface CommitExtras {
  /** Fields of the document beyond its schema. */
  readonly fields?: Fields;
  /** Adds other documents. */
  readonly addTo: (batch: WriteBatch) => void;
}

interface FirestoreDocuments<T> extends Documents<T> {
  readonly reference: (id: string) => DocumentReference;
  readonly createWith: (id: string, value: T, extras?: CommitExtras) => Promise<Created<T>>;
  readonly replaceWith: (stored: Stored<T>, next: T, extras?: CommitExtras) => Promise<Stored<T>>;
}

function documents<T extends object>(
  database: Firestore,
  call: BoundedCall,
  collection: Collection<T>,
): FirestoreDocuments<T> {
  const { path } = collection;
  const reference = (id: string) => {
    // The client would throw for some, mend others, and leave the rest to the server.
    requireDocumentId(path, id);
    return database.collection(path).doc(id);
  };

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

  const get = (id: string) => call('read', `${path}/${id}`, async () => read(await reference(id).get()));

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

  async function createWith(id: string, value: T, extras?: CommitExtras): Promise<Created<T>> {
    for (let tries = 1; ; tries++) {
      const batch = database.batch();
      batch.create(reference(id), { ...value, ...extras?.fields });
      extras?.addTo(batch);
      try {
        const results = await call('create', `${path}/${id}`, () => batch.commit());
        return { created: { id, value, version: writtenVersion(results, extras) } };
      } catch (error) {
        if (codeOf(error) !== rpcCodes.ALREADY_EXISTS) {
          throw error;
        }
        const existing = await get(id);
        if (existing) {
          return { existing };
        }
        if (tries === CREATE_TRIES) {
          throw error;
        }
      }
    }
  }

  async function replaceWith(stored: Stored<T>, next: T, extras?: CommitExtras): Promise<Stored<T>> {
    const { id, value, version } = stored;
    const { set, dropped } = changedFields(value as Fields, next as Fields);
    const changes: Record<string, unknown> = { ...set, ...extras?.fields };
    for (const name of dropped) {
      changes[name] = FieldValue.delete();
    }
    if (Object.keys(changes).length === 0) {
      // An update must name a field, and it is the update that checks the condition.
      const [name = '', unchanged] = Object.entries(next)[0] ?? [];
      changes[name] = unchanged;
    }
    const batch = database.batch();
    batch.update(reference(id), changes, { lastUpdateTime: updateTimeOf(version) });
    extras?.addTo(batch);
    try {
      const results = await call('replace', `${path}/${id}`, () => batch.commit());
      return { id, value: next, version: writtenVersion(results, extras, version) };
    } catch (error) {
      const code = codeOf(error);
      if (code !== rpcCodes.FAILED_PRECONDITION && code !== rpcCodes.NOT_FOUND) {
        throw error;
      }
      throw new StaleWriteError(`${path}/${id}`, { cause: error });
    }
  }

  return {
    reference,
    createWith,
    replaceWith,
    get,
    create: (id, value) => createWith(id, value),
    replace: (stored, next) => replaceWith(stored, next),

    async getMany(ids: readonly string[]): Promise<Found<T>[]> {
      const unique = [...new Set(ids)];
      const found: Found<T>[] = [];
      for (let start = 0; start < unique.length; start += READ_CHUNK) {
        const chunk = unique.slice(start, start + READ_CHUNK).map(reference);
        const what = `${chunk.length} of ${path}`;
        found.push(...readAll(await call('read', what, () => database.getAll(...chunk))));
      }
      return found;
    },

    async find(query: Query, { limit, after = [] }: Page): Promise<Found<T>[]> {
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

    async count(query: Query): Promise<number> {
      const result = await call('count', path, () => select(query).count().get());
      return result.data().count;
    },

    async sum(query: Query, field: string): Promise<number> {
      const total = AggregateField.sum(field);
      const result = await call('sum', path, () => select(query).aggregate({ total }).get());
      return result.data().total;
    },
  };
}

function recordDocuments(database: Firestore, call: BoundedCall): Records {
  const { reference, createWith, replaceWith, ...plain } = documents(database, call, collections.records);
  const partsOf = (id: string) => reference(id).collection('request');

  /**
   * Writes the parts that do not fit into the record's own commit, where nothing refers to them yet. They expire within
   * a day unless that commit says otherwise, so that a claim lost or never made leaves nothing behind. A part that is
   * there already has the same content, and may be the winner's: it stays as it is.
   */
  async function writeAhead(id: string, parts: readonly RequestPart[], now: Date): Promise<void> {
    const ahead = [...parts.entries()].slice(COMMITTED_PARTS);
    await Promise.all(
      ahead.map(async ([n, part]) => {
        const document = partsOf(id).doc(partId(n, part));
        try {
          const fields = { ...part, expireAt: later(now, DAY_MS) };
          await call('create', document.path, () => document.create(fields));
        } catch (error) {
          if (codeOf(error) !== rpcCodes.ALREADY_EXISTS) {
            throw error;
          }
        }
      }),
    );
  }

  /** A request's parts for the commit of its record. Those written ahead must be there, and stay from then on. */
  async function withRequest(
    id: string,
    next: ExportRecord,
    request: Uint8Array,
    partsBefore = 0,
  ): Promise<CommitExtras> {
    const parts = await splitRequest(request);
    await writeAhead(id, parts, next.updatedAt);
    const expireAt = 'expireAt' in next ? next.expireAt : undefined;
    return {
      fields: { [PARTS_FIELD]: Math.max(parts.length, partsBefore) },
      addTo: (batch) => {
        for (const [n, part] of parts.entries()) {
          const document = partsOf(id).doc(partId(n, part));
          if (n < COMMITTED_PARTS) {
            batch.set(document, { ...part, expireAt });
          } else {
            batch.update(document, { expireAt: expireAt ?? FieldValue.delete() });
          }
        }
      },
    };
  }

  /** The stored parts, to expire with their record. Names are asked for only where some were written ahead. */
  async function expiring(id: string, parts: number, expireAt: Date): Promise<CommitExtras> {
    const all = partsOf(id);
    const stored =
      parts > COMMITTED_PARTS
        ? await call('list', all.path, () => all.listDocuments())
        : Array.from({ length: parts }, (_, n) => all.doc(String(n)));
    return {
      addTo: (batch) => {
        for (const part of stored) {
          batch.set(part, { expireAt }, { merge: true });
        }
      },
    };
  }

  async function readParts(id: string): Promise<(Partial<RequestPart> | undefined)[]> {
    const all = partsOf(id);
    const first = (await all.doc('0').get()).data() as RequestPart | undefined;
    if (!first || first.parts === 1) {
      return [first];
    }
    const others = Array.from({ length: first.parts - 1 }, (_, n) => all.doc(partId(n + 1, first)));
    const rest = await database.getAll(...others);
    return [first, ...rest.map((part) => part.data())];
  }

  return {
    ...plain,

    create: async (id: string, value: ExportRecord, request?: Uint8Array) =>
      createWith(id, value, request && (await withRequest(id, value, request))),

    async replace(
      stored: Stored<ExportRecord>,
      next: ExportRecord,
      request?: Uint8Array,
    ): Promise<Stored<ExportRecord>> {
      const { id, value, version } = stored;
      const expireAt = 'expireAt' in next ? next.expireAt : undefined;
      const expires = expireAt && !sameValue((value as Fields)['expireAt'], expireAt);
      let extras: CommitExtras | undefined;
      if (request) {
        extras = await withRequest(id, next, request, partsIn(version));
      } else if (expires) {
        extras = await expiring(id, partsIn(version), expireAt);
      }
      return replaceWith(stored, next, extras);
    },

    async readRequest(id: string): Promise<Uint8Array> {
      const { path } = partsOf(id);
      return joinRequest(path, await call('read', path, () => readParts(id)));
    },

    async defer(id: string, problem: string, dueAt: Date): Promise<void> {
      const record = reference(id);
      try {
        await call('defer', record.path, () => record.update({ setAside: { problem }, dueAt }));
      } catch (error) {
        // Deleted meanwhile: it is out of the way.
        if (codeOf(error) !== rpcCodes.NOT_FOUND) {
          throw error;
        }
      }
    },
  };
}

/**
 * A record's field beyond its schema: the most parts that its request has had, so that the write that lets them expire
 * need not look. A shorter request leaves parts behind, which are read no more and expire with the others.
 */
const PARTS_FIELD = 'requestParts';

/** A version holds what the next write must know: when the document was written, and its PARTS_FIELD. */
const formatVersion = ({ seconds, nanoseconds }: Timestamp, parts: number): string =>
  `${seconds} ${nanoseconds} ${parts}`;

function updateTimeOf(version: string): Timestamp {
  const [seconds = NaN, nanoseconds = NaN] = version.split(' ').map(Number);
  return new Timestamp(seconds, nanoseconds);
}

const partsIn = (version: string): number => Number(version.split(' ')[2]);

/** The version that a commit gave to its first document. */
function writtenVersion(
  [first]: readonly { readonly writeTime: Timestamp }[],
  extras: CommitExtras | undefined,
  before?: string,
): string {
  if (!first) {
    throw new ServiceError('STORE_FAILED', 'Firestore committed without saying when');
  }
  const parts = extras?.fields?.[PARTS_FIELD] ?? (before === undefined ? 0 : partsIn(before));
  return formatVersion(first.writeTime, Number(parts));
}

/** Firestore's own types as plain ones, in place: what the client made is ours alone. */
function fromFirestore(data: Record<string, unknown>): Fields {
  for (const [name, value] of Object.entries(data)) {
    data[name] = plainValue(value);
  }
  return data;
}

function plainValue(value: unknown): unknown {
  if (typeof value !== 'object' || value === null) {
    return value;
  }
  if (value instanceof Timestamp) {
    return value.toDate();
  }
  if (value instanceof Uint8Array) {
    return new Uint8Array(value.buffer, value.byteOffset, value.length);
  }
  if (Array.isArray(value)) {
    return value.map(plainValue);
  }
  return Object.getPrototypeOf(value) === Object.prototype
    ? fromFirestore(value as Record<string, unknown>)
    : value;
}
