import { readFile } from 'node:fs/promises';
import { join } from 'node:path';

import { afterAll, beforeAll, describe, expect, it } from 'vitest';

import { rangeOf } from '../../page/server/video.ts';
import type { Delivery } from '../../shared/model/delivery.ts';
import { readConfig } from '../../shared/config.ts';
import { root, servePage, type ServedPage } from './rig.ts';
import { recordFor } from './seed.ts';

const bucket = 'demo-timelapses';
let page: ServedPage;
let data: Uint8Array;
beforeAll(async () => {
  const config = readConfig({
    GOOGLE_CLOUD_PROJECT: 'demo-videos',
    ALLOWED_DESTINATIONS: `gs://${bucket}/ours/*`,
  });
  page = await servePage({ services: { config } });
  data = await readFile(join(root, 'infra/local/storage/videos/320.mp4'));
});
afterAll(() => page[Symbol.asyncDispose]());

/** A record with a delivery, and its object. */
async function delivered(name: string, changes: Partial<Delivery> = {}): Promise<string> {
  const object = page.buckets.objects.put({ bucket, name, data, createdMs: Date.now() - 1000 });
  const { generation } = object;
  const delivery = {
    state: 'VERIFIED' as const,
    object: `gs://${bucket}/${name}`,
    generation,
    bytes: data.length,
  };
  const { id, record } = recordFor('SUCCEEDED', name, {
    delivery: { ...delivery, problems: [], ...changes },
  });
  await page.store.records.create(id, record);
  return id;
}

const get = (id: string, range?: string) =>
  fetch(`${page.url}/exports/${id}/video`, range === undefined ? {} : { headers: { range } });
const bytesOf = async (response: Response) => new Uint8Array(await response.arrayBuffer());

describe('a verified video', () => {
  it('is sent whole, and in parts', async () => {
    const id = await delivered('ours/whole.mp4');
    const whole = await get(id);
    expect([whole.status, whole.headers.get('content-type')]).toEqual([200, 'video/mp4']);
    expect(Buffer.compare(await bytesOf(whole), data)).toBe(0);
    for (const [range, start, end] of [
      ['bytes=0-', 0, data.length],
      ['bytes=100-199', 100, 200],
      ['bytes=-10', data.length - 10, data.length],
      [`bytes=5-${data.length * 2}`, 5, data.length],
    ] as const) {
      const part = await get(id, range);
      expect([range, part.status]).toEqual([range, 206]);
      expect(part.headers.get('content-range')).toBe(`bytes ${start}-${end - 1}/${data.length}`);
      expect(Buffer.compare(await bytesOf(part), data.subarray(start, end))).toBe(0);
    }
    const beyond = await get(id, `bytes=${data.length}-`);
    expect([beyond.status, beyond.headers.get('content-range')]).toEqual([416, `bytes */${data.length}`]);
  });

  it('is on the page of its export, without an address of the bucket that opens by itself', async () => {
    const id = await delivered('ours/page.mp4', { frames: 20, framesPerSecond: 12, width: 320, height: 200 });
    const html = await (await fetch(`${page.url}/exports/${id}`)).text();
    expect(html).toContain(`<video class="video" src="/exports/${id}/video"`);
    expect(html).toContain('20 frames at 12 per second');
    expect(html).not.toMatch(/storage\.googleapis|X-Goog-Signature|https:/);
  });
});

describe('no video is sent', () => {
  it.each<[string, string, Partial<Delivery>]>([
    ['from a place that jobs may not use', 'theirs/x.mp4', {}],
    ['from another bucket', 'ours/x.mp4', { object: 'gs://other/ours/x.mp4' }],
    ['that is not an object', 'ours/y.mp4', { object: 'https://example.com/ours/y.mp4' }],
    ['that is not verified', 'ours/z.mp4', { state: 'SUSPECT' }],
    ['without a version', 'ours/v.mp4', { generation: undefined }],
  ])('%s', async (_, name, changes) => {
    const id = await delivered(name, changes);
    const before = { ...page.buckets.counters.calls };
    expect((await get(id)).status).toBe(404);
    expect(page.buckets.counters.calls).toEqual(before);
    expect(await (await fetch(`${page.url}/exports/${id}`)).text()).not.toContain('<video');
  });

  it('of a record that does not exist, or has not succeeded', async () => {
    const { id, record } = recordFor('RUNNING', 'ours/running');
    await page.store.records.create(id, record);
    expect((await get(id)).status).toBe(404);
    expect((await get('nothing')).status).toBe(404);
    expect((await get('%ff')).status).toBe(404);
  });

  it('that was replaced after it was verified', async () => {
    const id = await delivered('ours/replaced.mp4', { generation: '1' });
    await expect(get(id, 'bytes=0-').then(bytesOf)).rejects.toThrow();
    expect(page.lines.join('\n')).toContain('page.video_failed');
  });
});

describe('a range', () => {
  it('is at most 8 MiB, which Cloud Run sends with a length', () => {
    expect(rangeOf('bytes=0-', 100_000_000)).toEqual({ start: 0, end: 8_388_608 });
  });

  it.each([undefined, '', 'bytes=-', 'bytes=0-1,5-9', 'items=0-1', 'bytes=a-b'])(
    'is ignored: %s',
    (header) => {
      expect(rangeOf(header, 1000)).toBeUndefined();
    },
  );

  it.each(['bytes=1000-', 'bytes=9-3', 'bytes=-0'])('is beyond the end: %s', (header) => {
    expect(rangeOf(header, 1000)).toBe('INVALID');
  });
});
