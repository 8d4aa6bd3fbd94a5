import { describe, expect, it } from 'vitest';

import { HOUR_MS, MINUTE_MS } from '../../shared/clock.ts';
import { createHarness, smallJob } from '../harness.ts';

const JOBS = 200;
const QUOTA = 50;

describe.each([400, 403, 429] as const)(
  'a custom quota that is used up, reported with %i',
  (quotaStatusCode) => {
    it('makes jobs wait for its reset, and all of them succeed', async () => {
      const harness = createHarness({
        simulator: {
          settings: {
            dailyQuota: QUOTA,
            quotaStatusCode,
            concurrency: 1000,
            startsPerSecond: 1000,
            runMs: [MINUTE_MS, MINUTE_MS],
          },
        },
      });
      for (let n = 0; n < JOBS; n += 1) {
        await harness.submit({ data: smallJob({ jobKey: `quota/${n}` }) });
      }
      const waiting = (await harness.records()).filter(({ value }) => value.state === 'WAITING');
      expect(waiting).toHaveLength(JOBS - QUOTA);
      for (const { value } of waiting) {
        expect(value).toMatchObject({ waitingFor: 'QUOTA' });
        expect(value).not.toHaveProperty('outageSince');
      }
      const unfinished = async () =>
        (await harness.records()).filter(({ value }) => value.state !== 'SUCCEEDED').length;
      for (let poll = 0; poll < 4 * 24 * 6 && (await unfinished()) > 0; poll += 1) {
        harness.clock.advance(HOUR_MS / 6);
        await harness.poll();
      }
      expect((await harness.records()).map(({ value }) => value.state)).toEqual(
        Array.from({ length: JOBS }, () => 'SUCCEEDED'),
      );
      // One probe at each reset, and the senders that were refused at the same time as the first one.
      const refused = harness.simulator.exportCalls.filter(({ outcome }) => outcome === 'QUOTA_EXHAUSTED');
      expect(refused.length).toBeLessThanOrEqual(4 * 8);
    });
  },
);
