import { randomBytes, randomUUID } from 'node:crypto';
import { once } from 'node:events';
import { createServer, type AddressInfo, type Socket } from 'node:net';

import { Firestore, Timestamp } from '@google-cloud/firestore';
import { afterAll, afterEach, describe, expect, it, vi } from 'vitest';

import type { Fields } from '../../shared/store/fields.ts';
import { createFirestoreStore } from '../../shared/store/firestore.ts';
import { describeStore } from './contract.ts';
import { sample, samples } from '../record/samples.ts';

const clients: Firestore[] = [];
afterAll(async () => {
  await Promise.all(clients.map((client) => client.terminate()));
});

/** A store with its own project, and a separate client of that project. */
function open() {
  const projectId = `demo-${randomUUID()}`;
  const outside = new Firestore({ projectId, ignoreUndefinedProperties: true });
  clients.push(outside);
  return { store: createFirestoreStore({ projectId, databaseId: '(default)' }), outside };
}

describeStore('Firestore', async () => {
  const { store, outside } = open();
  return {
    store,
    put: async (path, fields) => {
      await outside.doc(path).set(fields);
    },
    peek: async (path) => {
      const data = (await outside.doc(path).get()).data();
      return data && (plain(data) as Fields);
    },
    remove: async (path) => {
      await outside.doc(path).delete();
    },
  };
});

const plain = (value: unknown): unknown => {
  if (value instanceof Timestamp) {
    return value.toDate();
  }
  if (Array.isArray(value)) {
    return value.map(plain);
  }
  if (typeof value !== 'object' || value === null) {
    return value;
  }
  return Object.fromEntries(Object.entries(value).map(([name, item]) => [name, plain(item)]));
};

describe('request parts', () => {
  const { store, outside } = open();
  afterAll(() => store.close());
  const partsOf = async (id: string) => {
    const { docs } = await outside.collection(`videoExports/${id}/request`).get();
    return docs.map((part) => ({ id: part.id, expireAt: plain(part.get('expireAt')) }));
  };
  const expireAt = samples.SUCCEEDED.expireAt;

  it('are numbered, smaller than 1 MiB, and expire with their record', async () => {
    const claimed = await store.records.create('small', samples.SUBMITTING, randomBytes(2_500_000));
    expect(await partsOf('small')).toEqual(['0', '1', '2'].map((id) => ({ id, expireAt: undefined })));
    if (!('created' in claimed)) {
      throw new Error('it already exists');
    }
    const shorter = await store.records.replace(claimed.created, samples.SUBMITTING, randomBytes(10));
    const pending = await store.records.replace(shorter, samples.PENDING);
    expect(await partsOf('small')).toEqual(['0', '1', '2'].map((id) => ({ id, expireAt: undefined })));
    await store.records.replace(pending, samples.SUCCEEDED);
    expect(await partsOf('small')).toEqual(['0', '1', '2'].map((id) => ({ id, expireAt })));
  });

  it('of a long request do not expire after the claim, until their record does', async () => {
    const request = randomBytes(5_500_000);
    await store.records.create('long', samples.SUBMITTING, request);
    const parts = await partsOf('long');
    expect(parts).toHaveLength(6);
    expect(parts.every((part) => part.expireAt === undefined)).toBe(true);

    const again = await store.records.create('long', samples.SUBMITTING, request);
    expect('existing' in again).toBe(true);
    expect(await partsOf('long')).toEqual(parts);

    const stored = await store.records.get('long');
    if (!stored || !('value' in stored)) {
      throw new Error('it is not readable');
    }
    await store.records.replace(stored, samples.SUCCEEDED);
    expect(await partsOf('long')).toEqual(parts.map(({ id }) => ({ id, expireAt })));
    expect(Buffer.compare(await store.records.readRequest('long'), request)).toBe(0);
  });

  it('of a losing claim leave the winner unchanged, and expire within a day', async () => {
    const request = randomBytes(5_500_000);
    await store.records.create('raced', samples.SUBMITTING, request);
    const before = await partsOf('raced');
    await store.records.create('raced', sample('SUBMITTING', { messageId: '2' }), randomBytes(5_500_000));
    expect(Buffer.compare(await store.records.readRequest('raced'), request)).toBe(0);
    const after = await partsOf('raced');
    const lost = after.filter(({ id }) => !before.some((part) => part.id === id));
    const tomorrow = new Date(samples.SUBMITTING.updatedAt.getTime() + 86_400_000);
    expect(lost.map((part) => part.expireAt)).toEqual([tomorrow, tomorrow, tomorrow]);
    expect(after.filter(({ id }) => before.some((part) => part.id === id))).toEqual(before);
  });

  it.each([
    ['a part is missing', '1', undefined],
    ['a part belongs to another request', '1', { data: randomBytes(1_000_000) }],
    ['the first part has no data', '0', { data: 'text' }],
  ])('are unreadable when %s', async (problem, part, change) => {
    const id = problem.replaceAll(' ', '-');
    await store.records.create(id, samples.SUBMITTING, randomBytes(2_500_000));
    const document = outside.doc(`videoExports/${id}/request/${part}`);
    await (change ? document.update(change) : document.delete());
    await expect(store.records.readRequest(id)).rejects.toMatchObject({ code: 'DOCUMENT_UNREADABLE' });
  });
});

describe('a database that does not respond', () => {
  afterEach(() => {
    vi.unstubAllEnvs();
  });

  it('makes every call time out', async () => {
    const sockets: Socket[] = [];
    const silent = createServer((socket) => sockets.push(socket)).listen(0, '127.0.0.1');
    await once(silent, 'listening');
    const emulatorHost = `127.0.0.1:${(silent.address() as AddressInfo).port}`;
    vi.stubEnv('FIRESTORE_EMULATOR_HOST', emulatorHost);
    const silentStore = createFirestoreStore({
      projectId: 'demo-silent',
      databaseId: '(default)',
      emulatorHost,
      timeoutMs: 200,
    });
    const { records } = silentStore;
    const late = { code: 'STORE_TIMEOUT', message: expect.stringContaining('videoExports') };
    await expect(records.get('id')).rejects.toMatchObject(late);
    await expect(records.create('id', samples.SUBMITTING)).rejects.toMatchObject(late);
    await expect(records.count({ where: [], orderBy: [] })).rejects.toMatchObject(late);
    await silentStore.close();
    for (const socket of sockets) {
      socket.destroy();
    }
    silent.close();
  });
});
