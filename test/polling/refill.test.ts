import { describe, expect, it } from 'vitest';

import { createHarness, smallJob } from '../harness.ts';

/** Jobs that take a second each, of which `atEarthEngine` may be there and `atOnce` may run. */
async function quickJobs({ jobs = 60, atEarthEngine = 3, atOnce = 100 } = {}) {
  const harness = createHarness({
    environment: { MAX_ACTIVE_OPERATIONS: String(atEarthEngine) },
    simulator: {
      settings: { pendingMs: 0, startsPerSecond: 100, concurrency: atOnce, runMs: [1000, 1000] },
    },
  });
  for (let n = 0; n < jobs; n += 1) {
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

  it('is left to the next run if it can wait longer than this run lasts', async () => {
    const harness = await quickJobs({ jobs: 400, atEarthEngine: 80, atOnce: 1 });
    const runs = [];
    for (let minute = 0; minute < 4; minute += 1) {
      const { seconds } = await harness.poll();
      runs.push(seconds);
      harness.clock.advance(60_000 - seconds * 1000);
    }
    expect(Math.max(...runs)).toBeGreaterThan(10);
    expect(Math.max(...runs)).toBeLessThan(60);
  });

  it('is left to the next run if it lasts long enough', async () => {
    const harness = await quickJobs();
    harness.simulator.set({ pendingMs: 3_600_000 });
    expect((await harness.poll()).seconds).toBeLessThan(60);
    harness.clock.advance(60_000);
    expect(await harness.poll()).toMatchObject({ submitted: 0, seconds: 0 });
  });
});
