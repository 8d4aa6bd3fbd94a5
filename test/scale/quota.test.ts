import { describe, expect, it } from 'vitest';

import { DAY_MS, HOUR_MS, MINUTE_MS, SECOND_MS } from '../../shared/clock.ts';
import type { SimulatorSettings } from '../../infra/local/simulator/index.ts';
import { recordQueries } from '../../shared/store/queries.ts';
import { createHarness, type Harness, smallJob } from '../harness.ts';

/** A project whose custom EECU quota is used up: its jobs wait for the reset, and all of them succeed. */

const PROJECT = 'demo-test';

/** Jobs that are submitted at some time. */
async function submitAt(time: string, jobs: number, settings: Partial<SimulatorSettings>): Promise<Harness> {
  const harness = createHarness({
    simulator: {
      settings: { concurrency: 1000, startsPerSecond: 1000, runMs: [MINUTE_MS, MINUTE_MS], ...settings },
    },
  });
  harness.clock.advance(Date.parse(time) - harness.clock.now().getTime());
  for (let n = 0; n < jobs; n += 1) {
    await harness.submit({ data: smallJob({ jobKey: `quota/${n}` }) });
  }
  return harness;
}

/** Polls every hour, and every minute in the hour after midnight. */
async function untilAllSucceeded(harness: Harness, days: number): Promise<void> {
  const { clock, store } = harness;
  const end = clock.now().getTime() + days * DAY_MS;
  while (clock.now().getTime() < end) {
    const { hour, minute } = pacific(clock.now().getTime());
    clock.advance(hour === 0 ? MINUTE_MS : HOUR_MS - minute * MINUTE_MS);
    await harness.poll();
    const waiting = await store.records.count(recordQueries.waiting());
    if (waiting + (await store.records.count(recordQueries.occupying(PROJECT))) === 0) {
      break;
    }
  }
  const states = (await harness.records()).map(({ value }) => value.state);
  expect(new Set(states)).toEqual(new Set(['SUCCEEDED']));
}

const format = new Intl.DateTimeFormat('en-CA', {
  timeZone: 'America/Los_Angeles',
  dateStyle: 'short',
  timeStyle: 'medium',
  hourCycle: 'h23',
});

function pacific(ms: number): { day: string; hour: number; minute: number } {
  const [day = '', time = ''] = format.format(ms).split(', ');
  return { day, hour: Number(time.slice(0, 2)), minute: Number(time.slice(3, 5)) };
}

const callsOf = (harness: Harness) =>
  harness.simulator.exportCalls.map(({ at, outcome }) => ({ ms: Date.parse(at), outcome }));

/** At how many moments calls were refused: senders that are refused at the same time count once. */
const refusedIn = (harness: Harness, isCounted: (hour: number) => boolean): number =>
  new Set(
    callsOf(harness)
      .filter(({ ms, outcome }) => outcome === 'QUOTA_EXHAUSTED' && isCounted(pacific(ms).hour))
      .map(({ ms }) => ms),
  ).size;

/** After the last wait of the hour after midnight, which the next hourly poll ends. */
const isDaytime = (hour: number): boolean => hour > 2;

/**
 * After a refusal, the next call is made after midnight in Pacific time. In the hour after midnight, when the reset may not
 * have taken effect, the wait doubles from 30 seconds to 15 minutes (less a quarter, for jitter).
 *
 * @returns the number of waits that were checked
 */
function expectNoCallTooEarly(harness: Harness): number {
  const calls = callsOf(harness);
  let inARow = 0;
  let checked = 0;
  for (const [index, { ms, outcome }] of calls.entries()) {
    inARow = outcome === 'QUOTA_EXHAUSTED' ? inARow : 0;
    // Senders that are refused at the same time have not waited for each other.
    const next = calls[index + 1];
    if (outcome !== 'QUOTA_EXHAUSTED' || next === undefined || next.ms === ms) {
      continue;
    }
    checked += 1;
    const { day, hour } = pacific(ms);
    if (hour > 0) {
      expect(pacific(next.ms).day, `the call after ${new Date(ms).toISOString()}`).not.toBe(day);
    } else {
      const backoff = Math.max(30, Math.min(900, 30 * 2 ** inARow) * 0.75);
      expect(next.ms - ms).toBeGreaterThanOrEqual(backoff * SECOND_MS);
    }
    inARow += 1;
  }
  return checked;
}

describe.each([400, 403, 429] as const)('a daily quota that is used up, reported with %i', (status) => {
  const jobs = 200;
  const dailyQuota = 50;

  it('makes jobs wait for its reset, and all of them succeed', async () => {
    const settings = { dailyQuota, quotaStatusCode: status };
    const harness = await submitAt('2026-11-23T20:00:00Z', jobs, settings);
    const waiting = (await harness.records()).filter(({ value }) => value.state === 'WAITING');
    expect(waiting).toHaveLength(jobs - dailyQuota);
    for (const { value } of waiting) {
      expect(value).toMatchObject({ waitingFor: 'QUOTA' });
      expect(value).not.toHaveProperty('outageSince');
    }
    await untilAllSucceeded(harness, 4);
    expect(expectNoCallTooEarly(harness)).toBeGreaterThan(2);
    // During the day, only the first day's call that closed the gate.
    expect(refusedIn(harness, isDaytime)).toBe(1);
    expect(refusedIn(harness, () => true)).toBeLessThan(12 * 3);
  });
});

describe('a daily quota', () => {
  it.each([
    ['when the clocks are set forward', '2027-03-13T20:00:00Z'],
    ['when the clocks are set back', '2027-11-06T19:00:00Z'],
    ['at the end of a year', '2026-12-30T20:00:00Z'],
  ])('is waited for %s', async (_when, time) => {
    const harness = await submitAt(time, 20, { dailyQuota: 5 });
    await untilAllSucceeded(harness, 4);
    expectNoCallTooEarly(harness);
    // The jobs of each later day are sent within the hour after its midnight.
    const created = harness.simulator.operations().map(({ createTime }) => pacific(Date.parse(createTime)));
    expect(new Set(created.slice(5).map(({ hour }) => hour))).toEqual(new Set([0]));
    expect(new Set(created.map(({ day }) => day)).size).toBe(4);
  });

  it('that resets late is asked for with a backoff that doubles', async () => {
    const harness = await submitAt('2026-11-23T20:00:00Z', 10, {
      dailyQuota: 5,
      quotaResetLagMs: 25 * MINUTE_MS,
    });
    await untilAllSucceeded(harness, 2);
    expectNoCallTooEarly(harness);
    expect(refusedIn(harness, (hour) => hour === 0)).toBe(5);
  });
});

describe('a monthly quota', () => {
  it('is asked for in the hour after each midnight, and jobs are sent when the month begins', async () => {
    const harness = await submitAt('2026-11-27T20:00:00Z', 20, { monthlyQuota: 12 });
    await untilAllSucceeded(harness, 5);
    expectNoCallTooEarly(harness);
    expect(refusedIn(harness, isDaytime)).toBe(1);
    const created = harness.simulator.operations().map(({ createTime }) => pacific(Date.parse(createTime)));
    expect(created.map(({ day, hour }) => `${day} ${hour}`)).toEqual([
      ...Array.from({ length: 12 }, () => '2026-11-27 12'),
      ...Array.from({ length: 8 }, () => '2026-12-01 0'),
    ]);
  });
});
