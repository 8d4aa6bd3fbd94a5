import { describe, expect, it } from 'vitest';

import { quotaRetryAt } from '../../shared/record/quota.ts';
import { policy } from './samples.ts';

const retryAt = (now: string, random = 0, waits = 0): string =>
  quotaRetryAt(policy, waits, { now: new Date(now), random }).toISOString();

describe('after a custom quota is used up', () => {
  it.each([
    ['in winter', '2026-11-24T20:00:00.000Z', '2026-11-25T08:00:00.000Z'],
    ['in summer', '2026-07-01T20:00:00.000Z', '2026-07-02T07:00:00.000Z'],
    ['just before midnight', '2026-11-25T07:59:59.000Z', '2026-11-25T08:00:00.000Z'],
    ['on the last day of a month', '2026-11-30T20:00:00.000Z', '2026-12-01T08:00:00.000Z'],
    ['on the day with 23 hours', '2026-03-08T12:00:00.000Z', '2026-03-09T07:00:00.000Z'],
    ['on that day, before its clocks change', '2026-03-08T09:30:00.000Z', '2026-03-09T07:00:00.000Z'],
    ['on the day with 25 hours', '2026-11-01T12:00:00.000Z', '2026-11-02T08:00:00.000Z'],
    ['on that day, before its clocks change', '2026-11-01T08:30:00.000Z', '2026-11-02T08:00:00.000Z'],
  ])('waits %s until midnight Pacific time', (_when, now, midnight) => {
    expect(retryAt(now)).toBe(midnight);
  });

  it('spreads projects over a few minutes after midnight', () => {
    expect(retryAt('2026-11-24T20:00:00.000Z', 0.999)).toMatch(/^2026-11-25T08:04:/);
  });

  it('backs off in the hour after midnight, when the reset may not have taken effect', () => {
    const now = '2026-11-25T08:10:00.000Z';
    const waited = [0, 1, 2, 20].map((waits) => Date.parse(retryAt(now, 0, waits)) - Date.parse(now));
    expect(waited).toEqual([30_000, 60_000, 120_000, 900_000]);
  });
});
