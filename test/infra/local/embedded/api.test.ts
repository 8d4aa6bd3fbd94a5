import { afterEach, describe, expect, it } from 'vitest';

import {
  embeddedApi,
  embeddedKeptMessages,
  embeddedPublisher,
  embeddedStore,
  WIRE_TYPE,
} from '../../../../cli/service/embedded.ts';
import {
  type ApiServer,
  createEmbeddedApi,
  createKept,
  serveEmbeddedApi,
} from '../../../../infra/local/embedded/api.ts';
import { createBroker } from '../../../../infra/local/embedded/broker.ts';
import { createMemoryStore } from '../../../../infra/local/memory/store.ts';
import { systemClock } from '../../../../shared/clock.ts';
import { describeStore } from '../../../store/contract.ts';

const servers: ApiServer[] = [];
afterEach(async () => {
  await Promise.all(servers.splice(0).map((server) => server.close()));
});

async function open() {
  const store = createMemoryStore();
  const stopping = new AbortController();
  const broker = createBroker(['jobs', 'dead'], { clock: systemClock, stopping: stopping.signal });
  const kept = createKept();
  broker.subscribe({ name: 'dead-kept', topic: 'dead', handle: async (message) => kept.add(message) });
  const server = await serveEmbeddedApi(createEmbeddedApi(store, broker, kept), 0);
  servers.push(server);
  return { memory: store, host: server.host, api: embeddedApi(server.host), broker };
}

describeStore(
  'in another process',
  async () => {
    const { memory, api } = await open();
    return {
      store: embeddedStore(api),
      put: async (path, fields) => memory.put(path, fields),
      peek: async (path) => memory.peek(path),
      remove: async (path) => memory.remove(path),
    };
  },
  { watches: false },
);

describe('topics in another process', () => {
  const message = { data: Buffer.from('text'), attributes: { a: 'b' } };

  it('accept messages, and keep dead letters until they are acknowledged', async () => {
    const { api } = await open();
    const publisher = embeddedPublisher(api);
    expect(await publisher.publish('dead', [message, message], 1000)).toEqual([
      { messageId: '1' },
      { messageId: '2' },
    ]);
    const kept = embeddedKeptMessages(api);
    const [first, second] = await kept.pull(10);
    expect(first).toMatchObject({ messageId: '1', attributes: { a: 'b' } });
    expect(Buffer.from(first?.data ?? []).toString()).toBe('text');
    // Both are held.
    expect(await kept.pull(10)).toEqual([]);
    await first?.acknowledge();
    await second?.release();
    expect((await kept.pull(10)).map(({ messageId }) => messageId)).toEqual(['2']);
  });

  it('that do not exist are reported', async () => {
    const { api } = await open();
    const [outcome] = await embeddedPublisher(api).publish('nothing', [message], 1000);
    expect(outcome).toHaveProperty('error.message', 'There is no topic nothing');
    expect(await api.topics()).toEqual(['jobs', 'dead']);
  });
});

describe('the process', () => {
  it.each([
    ['a type that a web page may send', 'text/plain', 'topics'],
    ['a method that does not exist', WIRE_TYPE, 'toString'],
  ])('refuses %s', async (_title, type, method) => {
    const { host } = await open();
    const response = await fetch(`http://${host}/${method}`, {
      method: 'POST',
      headers: { 'content-type': type },
      body: 'x',
    });
    expect(response.status).toBe(404);
  });

  it('reports that it is gone', async () => {
    const { api } = await open();
    await servers.pop()?.close();
    await expect(api.topics()).rejects.toThrow('No response from the service of npm start');
  });
});
