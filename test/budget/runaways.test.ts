import { describe, expect, it } from 'vitest';

import { HOUR_MS, MINUTE_MS } from '../../shared/clock.ts';
import { createBudgetRig } from './rig.ts';

/** A simulated operation uses 3.2 EECU-seconds per second: an hour of rendering costs 3.2 EECU-hours. */
const rigOf = (runMs: number) => createBudgetRig({ simulator: { settings: { runMs: [runMs, runMs] } } });

describe('a job with maxEecuHours', () => {
  it('is canceled once it has cost more', async () => {
    const rig = rigOf(10 * HOUR_MS);
    const id = await rig.publish('runaway', { maxEecuHours: 1 });
    const other = await rig.publish('other');
    let polls = 0;
    for (; polls < 60 && (await rig.record(id)).state !== 'CANCELLED'; polls += 1) {
      rig.clock.advance(MINUTE_MS);
      await rig.poll();
    }
    expect(await rig.record(id)).toMatchObject({
      state: 'CANCELLED',
      error: { status: 'EECU_LIMIT', retryable: false, advice: expect.stringMatching(/maxEecuHours/) },
      eecuIsLowerBound: true,
    });
    // 60 minutes / 3.2, and a few polls until it started and was stopped.
    expect(polls).toBeLessThan(26);
    const { eecuSeconds = 0 } = (await rig.record(id)) as { eecuSeconds?: number };
    expect(eecuSeconds).toBeGreaterThan(3600);
    expect(eecuSeconds).toBeLessThan(3600 * 1.2);
    expect((await rig.record(other)).state).toBe('RUNNING');
  });

  it('is left alone while it costs less', async () => {
    const rig = rigOf(15 * MINUTE_MS);
    const id = await rig.publish('cheap', { maxEecuHours: 1 });
    await rig.untilQuiet();
    expect((await rig.record(id)).state).toBe('SUCCEEDED');
  });

  it.each([0, -1, '2', Number.MAX_VALUE * 2])('is rejected for %s', async (maxEecuHours) => {
    await expect(rigOf(MINUTE_MS).publish('wrong', { maxEecuHours })).rejects.toThrow('INVALID_JOB');
  });
});
