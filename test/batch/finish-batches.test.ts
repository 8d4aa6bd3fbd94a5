import { describe, expect, it } from 'vitest';

import { expandBatch } from '../../shared/batch/expand-batch.ts';
import { MINUTE_MS } from '../../shared/clock.ts';
import { retryJobs } from '../../shared/retry/retry.ts';
import { createHarness, envelopeOf } from '../harness.ts';
import { batchOf, jobMessages } from './batches.ts';
import { smallManifest } from './manifests.ts';

describe('a later attempt', () => {
  it('is not counted in place of a job whose message has not arrived', async () => {
    const harness = createHarness({ simulator: { settings: { pendingMs: 0, runMs: [1, 1] } } });
    await expandBatch(harness.services, envelopeOf({ data: smallManifest(2) }));
    const [first, second] = jobMessages(harness);
    harness.simulator.failNext('export', { kind: 'status', status: 400, message: 'no such thing' });
    await harness.submit({ data: first?.data });
    await retryJobs(harness.services, { jobKeys: ['small/2026-11-23/0'] }, { force: true });
    const pollFor = async (minutes: number) => {
      for (let passed = 0; passed < minutes; passed += 1) {
        harness.clock.advance(MINUTE_MS);
        await harness.poll();
      }
    };
    await pollFor(10);
    expect((await harness.records()).map(({ value }) => value.state)).toEqual(['REJECTED', 'SUCCEEDED']);
    expect((await batchOf(harness)).state).toBe('RUNNING');
    await harness.submit({ data: second?.data });
    await pollFor(10);
    expect(await batchOf(harness)).toMatchObject({
      state: 'FINISHED',
      counts: { REJECTED: 1, SUCCEEDED: 2 },
    });
  });
});
