import { randomUUID } from 'node:crypto';

import { afterAll, describe, expect, it } from 'vitest';

import { expandBatch } from '../../shared/batch/expand-batch.ts';
import { retryJobs } from '../../shared/retry/retry.ts';
import { cancelExports } from '../../shared/cancellation/cancel-exports.ts';
import { createFirestoreStore } from '../../shared/store/firestore.ts';
import { createHarness, envelopeOf, type Harness } from '../harness.ts';
import { jobMessages } from './batches.ts';
import { smallManifest } from './manifests.ts';

/** The life of a batch on Google's emulator, with Firestore's own queries, sums and preconditions. */

const store = createFirestoreStore({
  projectId: `demo-batch-${randomUUID().slice(0, 8)}`,
  databaseId: '(default)',
  emulatorHost: process.env['FIRESTORE_EMULATOR_HOST'],
});
afterAll(() => store.close());

const batchId = 'small@2026-11-23';

describe('a batch in Firestore', () => {
  it('is expanded, canceled, finished, retried and finished again', async () => {
    const harness = createHarness({
      store,
      simulator: {
        settings: { pendingMs: 0, startsPerSecond: 100, concurrency: 100, runMs: [36e5, 36e5] },
      },
    });
    const manifest = smallManifest(30);
    (manifest['job'] as Record<string, unknown>)['labels'] = { 'a-team': 'water' };
    await expandBatch(harness.services, envelopeOf({ data: manifest }));
    for (const { data } of jobMessages(harness).slice(0, 20)) {
      await harness.submit({ data });
    }
    expect(await cancelExports(harness.services, envelopeOf({ data: { batchId } }))).toEqual({
      outcome: 'CANCELLED',
      records: 20,
      operations: 20,
    });
    for (const { data } of jobMessages(harness).slice(20)) {
      await harness.submit({ data });
    }
    await harness.untilQuiet({ polls: 20 });
    await harness.poll();
    expect(await store.batches.get(batchId)).toMatchObject({
      value: { state: 'FINISHED', jobs: 30, counts: { CANCELLED: 30 } },
    });
    // The other ten jobs arrived after the cancellation, and were never sent.
    expect(harness.simulator.operations().map(({ state }) => state)).toEqual(Array(20).fill('CANCELLED'));

    harness.simulator.set({ runMs: [1000, 1000] });
    expect(await retryJobs(harness.services, { label: ['a-team', 'water'] })).toMatchObject({ started: 30 });
    expect(await retryJobs(harness.services, { batchId })).toMatchObject({
      started: 0,
      skipped: { LATER_ATTEMPT: 30 },
    });
    await harness.untilQuiet({ polls: 20 });
    await harness.poll();
    const found = await store.batches.get(batchId);
    expect(found).toMatchObject({
      value: { state: 'FINISHED', counts: { CANCELLED: 30, SUCCEEDED: 30 } },
    });
    expect(found).toHaveProperty('value.eecuSeconds', expect.closeTo(await eecuSecondsOf(harness), 3));
    const events = harness.publisher.published.filter(
      ({ message }) => message.attributes['kind'] === 'BATCH',
    );
    expect(events.map(({ message }) => message.attributes['state'])).toEqual(['FINISHED', 'FINISHED']);
  });
});

async function eecuSecondsOf(harness: Harness): Promise<number> {
  const records = await harness.records();
  return records.reduce((sum, { value }) => sum + ('eecuSeconds' in value ? (value.eecuSeconds ?? 0) : 0), 0);
}
