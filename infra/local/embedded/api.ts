import { createServer } from 'node:http';
import { buffer } from 'node:stream/consumers';
import { deserialize, serialize } from 'node:v8';

import { type EmbeddedApi, type Reply, toRow, WIRE_TYPE } from '../../../cli/service/embedded.ts';
import { asError, ServiceError } from '../../../shared/errors.ts';
import type { Envelope } from '../../../shared/message/envelope.ts';
import type { Documents, Store } from '../../../shared/store/store.ts';
import type { Broker } from './broker.ts';

/** The calls that the embedded service offers the command line. */
export function createEmbeddedApi(store: Store, broker: Broker, kept: Kept): EmbeddedApi {
  // The caller parses the documents, so their type does not matter here.
  const documents = (name: Parameters<EmbeddedApi['get']>[0]) => store[name] as Documents<object>;
  return {
    async get(name, id) {
      const found = await documents(name).get(id);
      return found && toRow(found);
    },
    getMany: async (name, ids) => (await documents(name).getMany(ids)).map(toRow),
    async create(name, id, value, request) {
      const made =
        name === 'records'
          ? await store.records.create(id, value as never, request)
          : await documents(name).create(id, value);
      return 'created' in made ? { created: toRow(made.created) } : { existing: toRow(made.existing) };
    },
    replace: async (name, stored, next, request) =>
      toRow(
        name === 'records'
          ? await store.records.replace(stored as never, next as never, request)
          : await documents(name).replace(stored, next),
      ),
    find: async (name, query, page) => (await documents(name).find(query, page)).map(toRow),
    count: (name, query) => documents(name).count(query),
    sum: (name, query, field) => documents(name).sum(query, field),
    readRequest: (id) => store.records.readRequest(id),
    defer: (id, problem, dueAt) => store.records.defer(id, problem, dueAt),
    putBudget: (id, value) => store.budgets.put(id, value as never),
    removeBudget: (id) => store.budgets.remove(id),
    async publish(topic, messages) {
      const outcomes = await broker.publish(topic, messages, 0);
      return outcomes.map((outcome) => {
        if ('error' in outcome) {
          throw outcome.error;
        }
        return outcome.messageId;
      });
    },
    topics: async () => [...broker.topics],
    pull: async (limit) => kept.pull(limit),
    release: async (messageId) => kept.release(messageId),
    acknowledge: async (messageId) => kept.acknowledge(messageId),
  };
}

/** Keeps dead letters until they are acknowledged, as a pull subscription does. */
export interface Kept {
  add(message: Envelope): void;
  pull(limit: number): Awaited<ReturnType<EmbeddedApi['pull']>>;
  release(messageId: string): void;
  acknowledge(messageId: string): void;
}

export function createKept(): Kept {
  const messages = new Map<string, Envelope>();
  const held = new Set<string>();
  return {
    add: (message) => void messages.set(message.messageId, message),
    pull(limit) {
      const free = [...messages.values()].filter(({ messageId }) => !held.has(messageId)).slice(0, limit);
      return free.map(({ messageId, publishTime = new Date(0), attributes, data }) => {
        held.add(messageId);
        return { messageId, publishTime, attributes, data };
      });
    },
    release: (messageId) => void held.delete(messageId),
    acknowledge(messageId) {
      messages.delete(messageId);
      held.delete(messageId);
    },
  };
}

export interface ApiServer {
  /** host:port */
  readonly host: string;
  close(): Promise<void>;
}

/** Serves the calls on the loopback interface. */
export async function serveEmbeddedApi(api: EmbeddedApi, port: number): Promise<ApiServer> {
  const server = createServer((incoming, outgoing) => {
    const method = (incoming.url ?? '').slice(1);
    if (incoming.headers['content-type'] !== WIRE_TYPE || !Object.hasOwn(api, method)) {
      outgoing.writeHead(404).end();
      return;
    }
    void buffer(incoming)
      .then(async (body) => answer(api, method as keyof EmbeddedApi, body))
      .then(
        (reply) => outgoing.end(serialize(reply)),
        () => outgoing.destroy(),
      );
  });
  await new Promise<void>((resolve, reject) => {
    server.once('error', reject);
    server.listen(port, '127.0.0.1', resolve);
  });
  const address = server.address();
  return {
    host: `127.0.0.1:${typeof address === 'object' && address ? address.port : port}`,
    close: () =>
      new Promise((resolve) => {
        server.close(() => resolve());
        server.closeAllConnections();
      }),
  };
}

async function answer(api: EmbeddedApi, method: keyof EmbeddedApi, body: Uint8Array): Promise<Reply> {
  const call = api[method] as (...args: unknown[]) => Promise<unknown>;
  try {
    return { result: await call(...(deserialize(body) as unknown[])) };
  } catch (thrown) {
    const { message } = asError(thrown);
    return { error: { code: thrown instanceof ServiceError ? thrown.code : 'STORE_FAILED', message } };
  }
}
