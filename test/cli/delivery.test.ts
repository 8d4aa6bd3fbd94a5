import { mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

import { afterEach, beforeEach, describe, expect, it } from 'vitest';

import { parseDeliveries } from '../../cli/options.ts';
import { bytesOf } from '../../infra/local/storage/deliver.ts';
import { type Delivery, deliveryStates } from '../../shared/model/delivery.ts';
import { isReadable } from '../../shared/store/store.ts';
import { sample } from '../record/samples.ts';
import { createRig, idOf, put, type Rig } from './rig.ts';

let rig: Rig;
let folder: string;

/** A job whose video is in a bucket. */
function putVideo(letter: string, name: string, change: Partial<Delivery> = {}, record: object = {}): void {
  const object = rig.buckets.objects.put({ bucket: 'b', name, data: bytesOf('long'), createdMs: 0 });
  const { delivery } = sample('SUCCEEDED');
  put(
    rig,
    idOf(letter),
    sample('SUCCEEDED', {
      jobKey: letter,
      delivery: {
        ...(delivery as Delivery),
        object: `gs://b/${name}`,
        generation: object.generation,
        bytes: object.data.length,
        crc32c: object.crc32c,
        ...change,
      },
      ...record,
    }),
  );
}

const putState = (
  letter: string,
  state: Delivery['state'],
  code: Delivery['problems'][number]['code'],
): void =>
  put(
    rig,
    idOf(letter),
    sample('SUCCEEDED', {
      jobKey: letter,
      delivery: { state, problems: [{ code, message: `why ${code}` }] },
    }),
  );

beforeEach(async () => {
  rig = createRig();
  folder = await mkdtemp(join(tmpdir(), 'download-'));
});
afterEach(() => rm(folder, { recursive: true }));

describe('download', () => {
  it('saves the videos of a batch, and says which jobs have none', async () => {
    putVideo('a', 'x/one.mp4');
    putVideo('c', 'y/one.mp4');
    putState('d', 'MISSING', 'NOT_FOUND');
    const { code, err } = await rig.run('download', '--batch', 'weekly@2026-11-23', '--to', folder);
    expect(code).toBe(0);
    expect((await readdir(folder)).toSorted()).toEqual(['a.mp4', 'c.mp4']);
    expect(await readFile(join(folder, 'a.mp4'))).toEqual(bytesOf('long'));
    expect(err).toContain('d has no video to download: MISSING');
  });

  it('resumes what was interrupted', async () => {
    putVideo('a', 'one.mp4');
    const generation = rig.buckets.objects.get('b', 'one.mp4')?.generation;
    await writeFile(join(folder, `a.mp4.${generation}.part`), bytesOf('long').subarray(0, 1000));
    const { out } = await rig.run('download', 'a', '--to', folder, '--json');
    expect(JSON.parse(out)).toMatchObject({ files: [{ resumedAt: 1000 }] });
    expect(await readFile(join(folder, 'a.mp4'))).toEqual(bytesOf('long'));
    expect(rig.buckets.counters.bytesRead).toBe(bytesOf('long').length - 1000);
  });

  it('continues after a lost connection', async () => {
    putVideo('a', 'one.mp4');
    rig.whileAsleep = () => {};
    rig.buckets.failNext('read', { kind: 'status', status: 503 }, 2);
    expect((await rig.run('download', 'a', '--to', folder)).code).toBe(0);
    expect(await readFile(join(folder, 'a.mp4'))).toEqual(bytesOf('long'));
  });

  it('keeps no file whose checksum is wrong', async () => {
    putVideo('a', 'one.mp4', { crc32c: 'AAAAAA==' });
    const { code, err } = await rig.run('download', 'a', '--to', folder);
    expect(code).toBe(1);
    expect(err).toContain('does not match the checksum');
    expect(await readdir(folder)).toEqual([]);
  });

  it('never writes outside of the folder', async () => {
    putVideo('a', 'x/..\\..\\evil name$(x).mp4', {}, { jobKey: undefined });
    putVideo('c', 'x/one.mp4', {}, { jobKey: '../../evil/$(key)' });
    putVideo('d', 'y/one.mp4', {}, { jobKey: '..-..-evil $(key)' });
    putVideo('e', 'y/one.webm', {}, { jobKey: 'é'.repeat(100), attempt: 2 });
    putVideo('f', 'y/one.m p;4', {}, { jobKey: 'again', attempt: 2 });
    const files = ['a', 'c', 'd', 'e', 'f'].map(idOf);
    await rig.run('download', ...files, '--to', folder);
    expect((await readdir(folder)).toSorted()).toEqual(
      [
        '_evil-name-x-.mp4',
        '_evil-key-.mp4',
        `${idOf('d')}-_evil-key-.mp4`,
        `${idOf('e')}.webm`,
        'again-2.m-p-4',
      ].toSorted(),
    );
  });

  it('needs a video, and ids or a batch', async () => {
    putState('d', 'MISSING', 'NOT_FOUND');
    expect(await rig.run('download', 'd', '--to', folder)).toMatchObject({ code: 1 });
    expect(await rig.run('download', '--to', folder)).toMatchObject({ code: 2 });
  });
});

describe('deliveries', () => {
  beforeEach(() => {
    putVideo('a', 'one.mp4');
    putState('c', 'MISSING', 'NOT_FOUND');
    putState('d', 'SUSPECT', 'ONE_FRAME');
  });

  it('are listed by their state', async () => {
    const { out } = await rig.run('list', '--delivery', 'missing,suspect');
    expect(out).toContain('video MISSING: why NOT_FOUND');
    expect(out).toContain('video SUSPECT: why ONE_FRAME');
    expect(out).not.toContain('one.mp4');
  });

  it('are shown with what was found', async () => {
    expect((await rig.run('show', 'a')).out).toMatch(/12 frames, 5\/s, 2\.4 s, 768×432/);
    expect((await rig.run('show', 'd')).out).toContain('ONE_FRAME: why ONE_FRAME');
  });

  it('are counted by stats', async () => {
    expect((await rig.run('stats')).out).toContain('1 VERIFIED, 1 SUSPECT, 1 MISSING');
    const { out } = await rig.run('stats', '--batch', 'weekly@2026-11-23', '--json');
    expect(JSON.parse(out)).toMatchObject({ deliveries: { VERIFIED: 1, SUSPECT: 1, MISSING: 1 } });
  });

  it('are opened in the browser', async () => {
    expect((await rig.run('open', 'a')).out).toBe('https://storage.cloud.google.com/b/one.mp4\n');
    expect((await rig.run('open', 'c')).out).toContain('/storage/browser/');
  });

  it('that are missing or suspect are retried with --undelivered only', async () => {
    const without = await rig.run('retry', '--batch', 'weekly@2026-11-23', '--dry-run', '--json');
    expect(JSON.parse(without.out)).toMatchObject({ started: 0 });
    const retried = await rig.run('retry', 'a', 'c', 'd', '--undelivered', '--dry-run', '--json');
    expect(JSON.parse(retried.out)).toMatchObject({ skipped: { SUCCEEDED: 1 } });
  });

  describe('are checked again', () => {
    const deliveryOf = async (letter: string) => {
      const found = await rig.store.records.get(idOf(letter));
      const value = found && isReadable(found) ? found.value : undefined;
      return value?.state === 'SUCCEEDED' ? [value.delivery?.state, value.dueAt] : undefined;
    };
    const due = () => ['PENDING', rig.clock.now()];

    it('by id, whatever they are', async () => {
      expect(await rig.run('verify', 'a', idOf('c'))).toMatchObject({
        code: 0,
        out: 'The next poll checks 2 videos.\n',
      });
      expect([await deliveryOf('a'), await deliveryOf('c')]).toEqual([due(), due()]);
      expect((await deliveryOf('d'))?.[0]).toBe('SUSPECT');
      const attributes = rig.publisher.published.map(({ message }) => message.attributes);
      expect(attributes).toMatchObject([
        { kind: 'DELIVERY', delivery: 'PENDING', recordId: idOf('a') },
        { kind: 'DELIVERY', delivery: 'PENDING', recordId: idOf('c') },
      ]);
    });

    it('of a batch, with those that it shares, except those that are verified', async () => {
      const also = { batchId: 'other@1', alsoBatches: ['weekly@2026-11-23'], jobKey: 'e' };
      put(rig, idOf('e'), sample('SUCCEEDED', { ...also, delivery: { state: 'MISSING', problems: [] } }));
      const { out } = await rig.run('verify', '--batch', 'weekly@2026-11-23', '--json');
      expect(JSON.parse(out)).toEqual({ jobs: 3, skipped: {} });
      expect(await deliveryOf('e')).toEqual(due());
      expect([(await deliveryOf('a'))?.[0], await deliveryOf('c'), await deliveryOf('d')]).toEqual([
        'VERIFIED',
        due(),
        due(),
      ]);
    });

    it('by their state', async () => {
      expect((await rig.run('verify', '--delivery', 'suspect', '--quiet')).out).toBe('');
      expect([(await deliveryOf('c'))?.[0], await deliveryOf('d')]).toEqual(['MISSING', due()]);
    });

    it('unless there is nothing to check', async () => {
      put(rig, idOf('e'), sample('SUCCEEDED', { jobKey: 'e', destination: 'drive:folder/prefix' }));
      put(rig, idOf('f'), sample('RUNNING', { jobKey: 'f' }));
      const { code, out } = await rig.run('verify', 'e', 'f');
      expect([code, out]).toEqual([
        0,
        'The next poll checks 0 videos.\nLeft out, because the service cannot read Drive: 1\nLeft out, because the job has not succeeded: 1\n',
      ]);
    });

    it('only if it is clear which ones', async () => {
      expect(await rig.run('verify')).toMatchObject({ code: 2 });
      expect(await rig.run('verify', 'a', '--delivery', 'missing')).toMatchObject({ code: 2 });
      expect(await rig.run('verify', '--batch', 'none')).toMatchObject({ code: 1 });
      expect((await rig.run('verify', 'c', 'nothing')).code).toBe(1);
      expect((await deliveryOf('c'))?.[0]).toBe('MISSING');
    });
  });

  it('have the same states in options and in the model', () => {
    expect(parseDeliveries(deliveryStates.join())).toEqual(deliveryStates);
  });
});
