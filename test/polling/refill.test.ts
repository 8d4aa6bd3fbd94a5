import { describe, expect, it } from 'vitest';

import { createHarness, smallJob } from '../harness.ts';

/** Sixty jobs, of which three may be at Earth Engine at a time, where each takes a second. */
async function quickJobs() {
  const harness = createHarness({
    environment: { MAX_ACTIVE_OPERATIONS: '3' },
    simulator: {
      settings: { pendingMs: 0, startsPerSecond: 100, concurrency: 100, runMs: [1000, 1000] },
    },
  });
  for (let n = 0; n < 60; n += 1) {
    await harness.submit({ data: smallJob({ jobKey: `job ${n}` }) });
  }
  harness.clock.advance(60_000);
  return harness;
}

describe('a queue that would run dry before the next run', () => {
  it('is fed again and again within the run, which ends before the next one begins', async () => {
    const harness = await quickJobs();
    const { submitted, seconds } = await harness.poll();
    expect(submitted).toBeGreaterThan(2 * 3);
    expect(seconds).toBeGreaterThan(30);
    expect(seconds).toBeLessThan(60);
  });

  it('is left to the next run if it lasts long enough', async () => {
    const harness = await quickJobs();
    harness.simulator.set({ pendingMs: 3_600_000 });
    expect((await harness.poll()).seconds).toBeLessThan(60);
    harness.clock.advance(60_000);
    expect(await harness.poll()).toMatchObject({ submitted: 0, seconds: 0 });
  });
});
