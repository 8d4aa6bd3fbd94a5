import { buffer } from 'node:stream/consumers';

import { beforeEach, describe, expect, it } from 'vitest';

import type { CloudStorage } from '../../shared/storage/api.ts';
import type { SimulatedStorage } from '../../infra/local/storage/storage.ts';

/** What every implementation of CloudStorage does, with simulated buckets behind it. */
export function storageContract(open: () => { storage: SimulatedStorage; client: CloudStorage }): void {
  let storage: SimulatedStorage;
  let client: CloudStorage;
  const bucket = 'my-bucket';
  const put = (name: string, text = name) =>
    storage.objects.put({ bucket, name, data: Buffer.from(text), createdMs: Date.now() });

  beforeEach(() => {
    ({ storage, client } = open());
  });

  describe('list', () => {
    it('returns the objects with a prefix in the order of their names', async () => {
      put('videos/b.mp4', 'four');
      put('videos/a ü/?#.mp4');
      put('others/c.mp4');
      const { objects, isComplete } = await client.list(bucket, 'videos/', 10);
      expect(objects.map(({ name }) => name)).toEqual(['videos/a ü/?#.mp4', 'videos/b.mp4']);
      expect(isComplete).toBe(true);
      expect(objects[1]).toEqual({
        bucket,
        name: 'videos/b.mp4',
        generation: storage.objects.get(bucket, 'videos/b.mp4')?.generation,
        bytes: 4,
        crc32c: storage.objects.get(bucket, 'videos/b.mp4')?.crc32c,
        createdAt: new Date(storage.objects.get(bucket, 'videos/b.mp4')?.createdMs ?? 0),
      });
    });

    it('returns an empty list if there are none', async () => {
      expect(await client.list(bucket, 'none', 10)).toEqual({ objects: [], isComplete: true });
    });

    it('says if the limit ended it', async () => {
      ['a', 'b', 'c'].forEach((name) => put(name));
      const { objects, isComplete } = await client.list(bucket, '', 2);
      expect(objects).toHaveLength(2);
      expect(isComplete).toBe(false);
    });

    it('fails with DENIED without the role, and with NOT_FOUND without the bucket', async () => {
      storage.settings = { ...storage.settings, denied: ['secret'], missing: ['gone'] };
      await expect(client.list('secret', '', 1)).rejects.toMatchObject({ kind: 'DENIED' });
      await expect(client.list('gone', '', 1)).rejects.toMatchObject({ kind: 'NOT_FOUND' });
    });

    it.each([429, 500, 503])('fails with UNAVAILABLE on %i, without a retry', async (status) => {
      storage.failNext('list', { kind: 'status', status });
      await expect(client.list(bucket, '', 1)).rejects.toMatchObject({ kind: 'UNAVAILABLE' });
      expect(storage.counters.calls.list).toBe(1);
    });

    it.each(['reset', 'silence'] as const)(
      'fails with UNAVAILABLE on %s',
      async (kind) => {
        storage.failNext('list', { kind });
        await expect(client.list(bucket, '', 1)).rejects.toMatchObject({ kind: 'UNAVAILABLE' });
      },
      10_000,
    );
  });

  describe('get', () => {
    it('describes the current version, or returns undefined', async () => {
      const { generation } = put('a');
      expect(await client.get({ bucket, name: 'a' })).toMatchObject({ name: 'a', generation, bytes: 1 });
      expect(await client.get({ bucket, name: 'b' })).toBeUndefined();
    });

    it('fails with DENIED without the role', async () => {
      storage.settings = { ...storage.settings, denied: [bucket] };
      await expect(client.get({ bucket, name: 'a' })).rejects.toMatchObject({ kind: 'DENIED' });
    });
  });

  describe('read and stream', () => {
    it('return exactly a range', async () => {
      const object = put('digits', '0123456789');
      expect(Buffer.from(await client.read(object, 2, 5)).toString()).toBe('234');
      expect(Buffer.from(await client.read(object, 8, 10)).toString()).toBe('89');
      expect((await buffer(client.stream(object))).toString()).toBe('0123456789');
      expect((await buffer(client.stream(object, 7))).toString()).toBe('789');
      expect((await buffer(client.stream(object, 0, 1))).toString()).toBe('0');
    });

    it('fail with NOT_FOUND once the version was replaced', async () => {
      const old = put('a', 'old');
      storage.objects.put({ bucket, name: 'a', data: Buffer.from('new'), createdMs: Date.now() });
      await expect(client.read(old, 0, 3)).rejects.toMatchObject({ kind: 'NOT_FOUND' });
      await expect(buffer(client.stream(old))).rejects.toMatchObject({ kind: 'NOT_FOUND' });
    });

    it('fail with UNAVAILABLE if the connection is lost', async () => {
      const object = put('a');
      storage.failNext('read', { kind: 'reset' });
      await expect(client.read(object, 0, 1)).rejects.toMatchObject({ kind: 'UNAVAILABLE' });
      storage.failNext('read', { kind: 'reset' });
      await expect(buffer(client.stream(object))).rejects.toMatchObject({ kind: 'UNAVAILABLE' });
    });
  });

  describe('copy', () => {
    const target = { bucket: 'other-bucket', name: 'stable/a b.mp4' };

    it('copies an object to another bucket', async () => {
      await client.copy(put('a', 'content'), target);
      const copied = storage.objects.get(target.bucket, target.name);
      expect(Buffer.from(copied?.data ?? '').toString()).toBe('content');
    });

    it('fails with CONFLICT and changes nothing if the target exists', async () => {
      const object = put('a', 'content');
      await client.copy(object, target);
      await expect(client.copy(put('b'), target)).rejects.toMatchObject({ kind: 'CONFLICT' });
      expect(storage.objects.get(target.bucket, target.name)?.crc32c).toBe(object.crc32c);
    });

    it('fails with NOT_FOUND once the source was replaced', async () => {
      const old = put('a', 'old');
      put('a', 'new');
      await expect(client.copy(old, target)).rejects.toMatchObject({ kind: 'NOT_FOUND' });
    });
  });
}
