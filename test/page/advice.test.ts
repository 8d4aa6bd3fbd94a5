import { afterAll, beforeAll, describe, expect, it } from 'vitest';

import { historyOf } from '../../page/views/history.ts';
import { rowOf } from '../../page/views/row.ts';
import { DAY_MS, later, MINUTE_MS, SECOND_MS } from '../../shared/clock.ts';
import type { Batch } from '../../shared/model/batch.ts';
import { samples } from '../record/samples.ts';
import { servePage, type ServedPage } from './rig.ts';
import { recordFor } from './seed.ts';

const now = new Date();
let page: ServedPage;
beforeAll(async () => {
  page = await servePage();
});
afterAll(() => page[Symbol.asyncDispose]());

const textOf = async (path: string) => (await fetch(page.url + path)).text();

const error = { code: 3, status: 'INVALID_ARGUMENT', message: 'It is wrong.', retryable: false };

async function failed(key: string, retryable: boolean, batchId?: string) {
  const { id, record } = recordFor('FAILED', key, { error: { ...error, retryable }, batchId });
  await page.store.records.create(id, record);
  return { id, record };
}

async function finishedBatch(id: string, changes: Partial<Batch>): Promise<void> {
  await page.store.batches.create(id, {
    state: 'FINISHED',
    batchId: id,
    run: '',
    manifestHash: 'hash',
    messageId: '1',
    jobs: 1,
    published: 1,
    revision: 1,
    createdAt: later(now, -DAY_MS),
    finishedAt: later(now, -MINUTE_MS),
    updatedAt: now,
    ...changes,
  });
}

describe('the commands of an export', () => {
  it('include only a retry that has an effect', async () => {
    const plain = await failed('retry/plain', true);
    expect(await textOf(`/exports/${plain.id}`)).toContain(`retry ${plain.id}<`);
    const force = await failed('retry/force', false);
    expect(await textOf(`/exports/${force.id}`)).toContain(`retry ${force.id} --force<`);
    const { id, record } = await failed('retry/replaced', true);
    await page.store.records.create(`${id}-2`, { ...record, attempt: 2 });
    expect(await textOf(`/exports/${id}`)).not.toContain(`exports retry`);
    expect(await textOf(`/exports/${id}-2`)).toContain(`retry ${id}-2<`);
  });

  it('include the one that grants what a job waits for', async () => {
    const { id, record } = recordFor('WAITING', 'permission', {
      waitingFor: 'PERMISSION',
      error: { ...error, message: "Permission 'earthengine.exports.create' denied", retryable: true },
    });
    await page.store.records.create(id, record);
    const html = await textOf(`/exports/${id}`);
    expect(html).toContain('needs roles/earthengine.writer on the project demo-videos');
    expect(html).toContain('gcloud projects add-iam-policy-binding demo-videos');
  });
});

describe('a finished batch', () => {
  it('has no commands that do nothing', async () => {
    const { id, record } = recordFor('SUCCEEDED', 'good/1', { batchId: 'good' });
    await page.store.records.create(id, record);
    await finishedBatch('good', { counts: { SUCCEEDED: 1 } });
    expect(await textOf('/batches/good')).not.toMatch(/exports (?:cancel|retry)/);
    await failed('bad/1', false, 'bad');
    await finishedBatch('bad', { counts: { FAILED: 1 } });
    expect(await textOf('/batches/bad')).toContain('retry --batch bad --force<');
    await failed('mixed/1', false, 'mixed');
    await failed('mixed/2', true, 'mixed');
    await finishedBatch('mixed', { counts: { FAILED: 2 } });
    expect(await textOf('/batches/mixed')).toContain('retry --batch mixed<');
  });

  it('is called canceled only if a job was', async () => {
    const cancelRequestedAt = now;
    await finishedBatch('late', { cancelRequestedAt, counts: { SUCCEEDED: 3 } });
    await finishedBatch('partly', { cancelRequestedAt, counts: { SUCCEEDED: 2, CANCELLED: 1 } });
    expect(await textOf('/batches/late')).not.toContain('Finished, canceled');
    expect(await textOf('/batches/partly')).toContain('Finished, canceled');
  });
});

describe('a history', () => {
  const at = (seconds: number) => later(now, seconds * SECOND_MS);
  const iso = (seconds: number) => at(seconds).toISOString();

  it('shows what repeats once, with how often and from when to when', () => {
    const attempts = [0, 1, 2, 3].flatMap((n) => [
      { state: 'SUBMITTING', at: at(10 * n) },
      { state: 'WAITING', at: at(10 * n + 2), note: 'no permission' },
    ]);
    const pending = { state: 'PENDING', at: at(50) };
    const again = [51, 52, 53].map((second) => ({ state: 'PENDING', at: at(second), note: 'moved' }));
    expect(historyOf([...attempts, pending, ...again])).toEqual([
      { states: ['SUBMITTING', 'WAITING'], at: iso(0), times: 4, until: iso(32), note: 'no permission' },
      { states: ['PENDING'], at: iso(50) },
      { states: ['PENDING'], at: iso(51), times: 3, until: iso(53), note: 'moved' },
    ]);
  });

  it('shows what differs as it is', () => {
    const history = [
      { state: 'SUBMITTING', at: at(0) },
      { state: 'WAITING', at: at(1), note: 'one' },
      { state: 'SUBMITTING', at: at(2) },
      { state: 'WAITING', at: at(3), note: 'two' },
    ];
    expect(historyOf(history)).toHaveLength(4);
  });
});

describe('a row', () => {
  it.each([
    ['gs://bucket/short.mp4', 'gs://bucket/short.mp4'],
    [
      'https://console.cloud.google.com/storage/browser/videos/annual/2026-11-23/alps.mp4?project=x',
      '…/videos/annual/2026-11-23/alps.mp4',
    ],
    [`gs://bucket/${'x'.repeat(60)}.mp4`, `…/${'x'.repeat(60)}.mp4`],
  ])('shows the end of a path: %s', (uri, shown) => {
    const value = { ...samples.SUCCEEDED, delivery: undefined, outputUris: [uri] };
    expect(rowOf({ id: 'ex-1', value } as unknown as Parameters<typeof rowOf>[0]).detail).toBe(shown);
  });
});
