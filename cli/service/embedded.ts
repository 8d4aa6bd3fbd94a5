import { deserialize, serialize } from 'node:v8';

import { asError, type ErrorCode, ServiceError, StaleWriteError } from '../../shared/errors.ts';
import type { ExportRecord } from '../../shared/model/record.ts';
import type { OutgoingMessage, Publisher } from '../../shared/publisher.ts';
import type { KeptMessages } from '../../shared/pubsub/kept-messages.ts';
import { type Collection, collections, parseDocument } from '../../shared/store/collections.ts';
import type { Fields } from '../../shared/store/fields.ts';
import type { Query } from '../../shared/store/queries.ts';
import {
  type Budgets,
  type Created,
  type Documents,
  isReadable,
  type Page,
  type Records,
  type Store,
  type Stored,
} from '../../shared/store/store.ts';

/**
 * The service of `npm start` without Google's emulators: its records and its topics are in the memory of one process. This is
 * how the command line reaches them.
 */

export type CollectionName = keyof typeof collections;

/** An unparsed document. */
export interface Row {
  readonly id: string;
  readonly version: string;
  readonly fields: Fields;
}

export interface KeptRow extends OutgoingMessage {
  readonly messageId: string;
  readonly publishTime: Date;
}

/** The calls that the process offers (infra/local/embedded/api.ts). Arguments and results are data that V8 can serialize. */
export interface EmbeddedApi {
  get(collection: CollectionName, id: string): Promise<Row | undefined>;
  getMany(collection: CollectionName, ids: readonly string[]): Promise<Row[]>;
  create(
    collection: CollectionName,
    id: string,
    value: object,
    request?: Uint8Array,
  ): Promise<{ readonly created: Row } | { readonly existing: Row }>;
  replace(
    collection: CollectionName,
    stored: Stored<object>,
    next: object,
    request?: Uint8Array,
  ): Promise<Row>;
  find(collection: CollectionName, query: Query, page: Page): Promise<Row[]>;
  count(collection: CollectionName, query: Query): Promise<number>;
  sum(collection: CollectionName, query: Query, field: string): Promise<number>;
  readRequest(id: string): Promise<Uint8Array>;
  defer(id: string, problem: string, dueAt: Date): Promise<void>;
  putBudget(id: string, value: object): Promise<void>;
  removeBudget(id: string): Promise<void>;
  /** Resolves with the ID of each message. */
  publish(topic: string, messages: readonly OutgoingMessage[]): Promise<string[]>;
  topics(): Promise<string[]>;
  /** Dead letters that no client holds. They are held until they are released or acknowledged. */
  pull(limit: number): Promise<KeptRow[]>;
  release(messageId: string): Promise<void>;
  acknowledge(messageId: string): Promise<void>;
}

/** A browser asks before it sends this type to another origin, so no web page can call the process. */
export const WIRE_TYPE = 'application/x-ee-video-exports';

export type Reply =
  | { readonly result: unknown }
  | { readonly error: { readonly code: ErrorCode; readonly message: string } };

const TIMEOUT_MS = 30_000;

async function call(host: string, method: string, args: readonly unknown[]): Promise<unknown> {
  const response = await fetch(`http://${host}/${method}`, {
    method: 'POST',
    headers: { 'content-type': WIRE_TYPE },
    body: new Uint8Array(serialize(args)),
    signal: AbortSignal.timeout(TIMEOUT_MS),
  }).catch((thrown: unknown) => {
    throw new ServiceError(
      'STORE_TIMEOUT',
      `No response from the service of npm start: ${asError(thrown).message}`,
      { cause: thrown },
    );
  });
  const reply = deserialize(new Uint8Array(await response.arrayBuffer())) as Reply;
  if ('result' in reply) {
    return reply.result;
  }
  const { code, message } = reply.error;
  throw code === 'WRITE_STALE'
    ? new StaleWriteError(message.replace(/ has changed .*$/, ''))
    : new ServiceError(code, message);
}

/** @param host host:port of the process */
export const embeddedApi = (host: string): EmbeddedApi =>
  new Proxy({} as EmbeddedApi, {
    get:
      (_, method) =>
      (...args: unknown[]) =>
        call(host, String(method), args),
  });

export function embeddedStore(api: EmbeddedApi): Store {
  return {
    records: embeddedRecords(api),
    projects: documents(api, 'projects', collections.projects),
    sweeps: documents(api, 'sweeps', collections.sweeps),
    lists: documents(api, 'lists', collections.lists),
    rejectedMessages: documents(api, 'rejectedMessages', collections.rejectedMessages),
    batches: documents(api, 'batches', collections.batches),
    budgets: embeddedBudgets(api),
    budgetStatus: documents(api, 'budgetStatus', collections.budgetStatus),
    settings: documents(api, 'settings', collections.settings),
    close: async () => {},
  };
}

function documents<T extends object>(
  api: EmbeddedApi,
  name: CollectionName,
  collection: Collection<T>,
): Documents<T> {
  const read = ({ id, version, fields }: Row) => parseDocument(collection, id, version, fields);
  return {
    async get(id) {
      const row = await api.get(name, id);
      return row && read(row);
    },
    getMany: async (ids) => (await api.getMany(name, ids)).map(read),
    create: async (id, value) => created(await api.create(name, id, value), value, read),
    async replace(stored, next) {
      const { id, version } = await api.replace(name, stored, next);
      return { id, version, value: next };
    },
    find: async (query, page) => (await api.find(name, query, page)).map(read),
    count: (query) => api.count(name, query),
    sum: (query, field) => api.sum(name, query, field),
    watch() {
      throw new ServiceError('STORE_FAILED', 'The command line reads records and does not watch them');
    },
  };
}

function created<T>(
  made: Awaited<ReturnType<EmbeddedApi['create']>>,
  value: T,
  read: (row: Row) => ReturnType<typeof parseDocument<T>>,
): Created<T> {
  return 'created' in made
    ? { created: { id: made.created.id, version: made.created.version, value } }
    : { existing: read(made.existing) };
}

function embeddedRecords(api: EmbeddedApi): Records {
  const records = documents<ExportRecord>(api, 'records', collections.records);
  const read = ({ id, version, fields }: Row) => parseDocument(collections.records, id, version, fields);
  return {
    ...records,
    create: async (id, value, request) =>
      created(await api.create('records', id, value, request), value, read),
    async replace(stored, next, request) {
      const { id, version } = await api.replace('records', stored, next, request);
      return { id, version, value: next };
    },
    readRequest: (id) => api.readRequest(id),
    defer: (id, problem, dueAt) => api.defer(id, problem, dueAt),
  };
}

function embeddedBudgets(api: EmbeddedApi): Budgets {
  return {
    ...documents(api, 'budgets', collections.budgets),
    put: (id, value) => api.putBudget(id, value),
    remove: (id) => api.removeBudget(id),
  };
}

export const embeddedPublisher = (api: EmbeddedApi): Publisher => ({
  async publish(topic, messages) {
    try {
      const ids = await api.publish(topic, messages);
      return ids.map((messageId) => ({ messageId }));
    } catch (thrown) {
      return messages.map(() => ({ error: asError(thrown) }));
    }
  },
  close: async () => {},
});

export const embeddedKeptMessages = (api: EmbeddedApi): KeptMessages & { close(): Promise<void> } => ({
  async pull(limit) {
    const rows = await api.pull(limit);
    return rows.map(({ messageId, publishTime, attributes, data }) => ({
      messageId,
      publishTime,
      attributes,
      data,
      acknowledge: () => api.acknowledge(messageId),
      release: () => api.release(messageId),
    }));
  },
  close: async () => {},
});

/** As the service's own store writes a found document. */
export const toRow = (found: Parameters<typeof isReadable>[0]): Row =>
  isReadable(found)
    ? { id: found.id, version: found.version, fields: found.value as Fields }
    : { id: found.id, version: found.version, fields: found.fields };
