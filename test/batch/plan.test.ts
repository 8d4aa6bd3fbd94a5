import { describe, expect, it } from 'vitest';

import { expandBatch } from '../../shared/batch/expand-batch.ts';
import { plan } from '../../shared/batch/plan.ts';
import { retryJobs } from '../../shared/retry/retry.ts';
import { createHarness, envelopeOf, smallJob } from '../harness.ts';
import { smallManifest } from './manifests.ts';

describe('a plan', () => {
  const publishTime = new Date('2026-11-23T12:00:00Z');
  const key = (n: number) => `small/2026-11-23/${n}`;
  const job = (n: number, change: Record<string, unknown> = {}) => ({
    data: smallJob({ jobKey: key(n), ...change }, { description: `n-${n}` }),
  });

  it('counts what is new, done, running, failed and in conflict, with the first of each', async () => {
    const failing = [{ pattern: 'n-[12]_', code: 13, message: 'Internal error.' }];
    const harness = createHarness({
      simulator: { settings: { pendingMs: 0, startsPerSecond: 100, concurrency: 10, failing } },
    });
    for (const n of [0, 1, 2]) {
      await harness.submit(job(n));
    }
    await harness.submit({ data: smallJob({ jobKey: key(3) }, { description: 'another' }) });
    await harness.untilQuiet();
    // The latest attempt of a job counts.
    harness.simulator.set({ failing: [] });
    await retryJobs(harness.services, { jobKeys: [key(2)] });
    await harness.untilQuiet();
    await harness.submit(job(4));

    const before = await harness.records();
    const result = await plan(harness.services, smallManifest(400), publishTime);
    expect(result).toMatchObject({
      plan: {
        batchId: 'small@2026-11-23',
        jobs: 400,
        counts: { new: 395, done: 2, running: 1, failed: 1, conflict: 1 },
        batch: 'NEW',
        first: {
          new: { jobKey: key(5), state: undefined },
          done: { jobKey: key(0), state: 'SUCCEEDED' },
          running: { jobKey: key(4), state: 'PENDING' },
          failed: { jobKey: key(1), state: 'FAILED' },
          conflict: { jobKey: key(3) },
        },
      },
    });
    expect(await harness.records()).toEqual(before);
    expect(await harness.store.batches.get('small@2026-11-23')).toBeUndefined();
  });

  it('reports whether the run exists already, and what is invalid', async () => {
    const harness = createHarness();
    await expandBatch(harness.services, envelopeOf({ data: smallManifest(2) }));
    expect(await plan(harness.services, smallManifest(2), publishTime)).toMatchObject({
      plan: { batch: 'SAME' },
    });
    expect(await plan(harness.services, smallManifest(3), publishTime)).toMatchObject({
      plan: { batch: 'OTHER' },
    });
    expect(
      await plan(harness.services, { ...smallManifest(1), matrix: { n: [] } }, publishTime),
    ).toMatchObject({
      issues: [{ path: 'matrix.n' }],
    });
  });
});
