import * as fc from 'fast-check';
import { describe, expect, it } from 'vitest';

import { SECOND_MS } from '../../shared/clock.ts';
import { createRate, type Rate, type SentAt } from '../../shared/earth-engine/rate.ts';

const CEILING = 100;

interface Server {
  /** Calls within any second. */
  readonly limit?: number;
  /** Of the calls, at any rate. */
  readonly shareOf429s?: number;
  /** All calls are refused at the end of each period, and once more before a gap. */
  readonly bursts?: { readonly everySeconds: number; readonly seconds: number; readonly gapSeconds?: number };
  readonly latencyMs: number;
}

interface Simulated {
  readonly seconds: number;
  readonly accepted: number;
  /** The share of the calls that exceeded the limit. */
  readonly overLimit: number;
  readonly slowest: number;
  readonly fastest: number;
}

/** Sends calls at the rate, and tells it of each outcome after the latency. */
function simulate(
  calls: number,
  { limit = Infinity, shareOf429s = 0, bursts, latencyMs }: Server,
  seed = 1,
): Simulated {
  const rate = createRate(CEILING);
  const isBurst = (atSeconds: number): boolean => {
    const { everySeconds, seconds, gapSeconds } = bursts ?? { everySeconds: 1, seconds: 0 };
    const left = everySeconds - (atSeconds % everySeconds);
    const isSecond = left <= seconds;
    const isFirst =
      gapSeconds !== undefined && left > seconds + gapSeconds && left <= 2 * seconds + gapSeconds;
    return isFirst || isSecond;
  };
  const inFlight: { readonly endMs: number; readonly call: SentAt; readonly refused: boolean }[] = [];
  let random = seed;
  let nowMs = 0;
  const recent: number[] = [];
  let [accepted, overLimit, slowest, fastest] = [0, 0, Infinity, 0];
  for (let n = 0; n < calls; n += 1) {
    nowMs += SECOND_MS / rate.perSecond();
    while (inFlight[0] && inFlight[0].endMs <= nowMs) {
      const { call, refused } = inFlight.shift() as (typeof inFlight)[number];
      (refused ? rate.refused : rate.accepted)(call);
    }
    slowest = Math.min(slowest, rate.perSecond());
    fastest = Math.max(fastest, rate.perSecond());
    random = (random * 48_271) % 2_147_483_647;
    while (recent[0] !== undefined && recent[0] <= nowMs - SECOND_MS) {
      recent.shift();
    }
    const isOver = recent.length >= limit;
    const refused = isOver || random / 2_147_483_647 < shareOf429s || isBurst(nowMs / SECOND_MS);
    if (!refused) {
      recent.push(nowMs);
    }
    accepted += refused ? 0 : 1;
    overLimit += isOver ? 1 / calls : 0;
    inFlight.push({ endMs: nowMs + latencyMs, call: rate.sent(true), refused });
  }
  return { seconds: nowMs / SECOND_MS, accepted, overLimit, slowest, fastest };
}

const isTrial = (rate: Rate): boolean => rate.perSecond() > rate.memory().perSecond;

/**
 * Has calls accepted until there is a trial.
 *
 * @returns how many
 */
function callsUntilTrial(rate: Rate): number {
  let calls = 0;
  for (; !isTrial(rate); calls += 1) {
    rate.accepted(rate.sent(true));
  }
  return calls;
}

/** Has the calls of a trial refused, if there is one, until it ends. */
function failTrial(rate: Rate): void {
  while (isTrial(rate)) {
    rate.refused(rate.sent(true));
  }
}

const perSecond = ({ accepted, seconds }: Simulated): number => accepted / seconds;
const latency = fc.integer({ min: 1, max: 1000 });
// The same cases each time: a limit on a share has exceptions.
const cases = { seed: 19, numRuns: 12 };

describe('the rate of calls', () => {
  it.each([5, 20, 100])(
    'exceeds a limit of %i calls a second, which it does not know, with less than a fiftieth of the calls',
    (limit) => {
      fc.assert(
        fc.property(latency, (latencyMs) => {
          const simulated = simulate(Math.max(1500, limit * 100), { limit, latencyMs });
          expect(simulated.overLimit).toBeLessThan(0.02);
          expect(perSecond(simulated)).toBeGreaterThan(limit * 0.7);
        }),
        cases,
      );
    },
  );

  it('exceeds other limits hardly more', () => {
    fc.assert(
      fc.property(fc.integer({ min: 5, max: 99 }), latency, (limit, latencyMs) => {
        const simulated = simulate(Math.max(1500, limit * 100), { limit, latencyMs });
        expect(simulated.overLimit).toBeLessThan(0.03);
        expect(perSecond(simulated)).toBeGreaterThan(limit * 0.6);
      }),
      cases,
    );
  });

  it.each([
    [0.01, 0.9],
    [0.02, 0.8],
    [0.05, 0.6],
  ])('stays high if a share of %f of the calls is refused at any rate', (shareOf429s, least) => {
    fc.assert(
      fc.property(latency, fc.integer({ min: 1, max: 1_000_000 }), (latencyMs, seed) => {
        const undisturbed = simulate(3000, { latencyMs });
        const disturbed = simulate(3000, { latencyMs, shareOf429s }, seed);
        expect(perSecond(disturbed)).toBeGreaterThan(perSecond(undisturbed) * least);
      }),
      cases,
    );
  });

  it.each([
    { seconds: 0.5, everySeconds: 60, least: 0.94 },
    { seconds: 1, everySeconds: 60, least: 0.92 },
    { seconds: 2, everySeconds: 60, least: 0.85 },
    { seconds: 5, everySeconds: 300, least: 0.9 },
    { seconds: 0.3, everySeconds: 10, least: 0.8 },
    { seconds: 2, gapSeconds: 1.5, everySeconds: 60, least: 0.7 },
    { seconds: 2, gapSeconds: 3, everySeconds: 60, least: 0.7 },
  ])('returns soon after $seconds s in which all calls are refused, each $everySeconds s', (bursts) => {
    for (const limit of 'gapSeconds' in bursts ? [Infinity] : [20, Infinity]) {
      for (const latencyMs of [100, 1000]) {
        // Two bursts at least.
        const calls = Math.min(CEILING, limit) * Math.max(150, bursts.everySeconds * 2.2);
        const undisturbed = simulate(calls, { limit, latencyMs });
        const disturbed = simulate(calls, { limit, latencyMs, bursts });
        expect(perSecond(disturbed)).toBeGreaterThan(perSecond(undisturbed) * bursts.least);
      }
    }
  });

  it.each([0, 1, 3])('grows at the start although all calls are refused for 2 s after %i s', (from) => {
    const rate = createRate(CEILING);
    let nowMs = 0;
    while (nowMs < 30 * SECOND_MS) {
      nowMs += SECOND_MS / rate.perSecond();
      const isRefused = nowMs >= from * SECOND_MS && nowMs < (from + 2) * SECOND_MS;
      (isRefused ? rate.refused : rate.accepted)(rate.sent(true));
    }
    expect(rate.perSecond()).toBe(CEILING);
  });

  it('remembers the rate before a burst, and not the rate in it', () => {
    const rate = createRate(CEILING);
    rate.resume({ perSecond: 50 });
    for (let n = 0; n < 20; n += 1) {
      rate.refused(rate.sent(true));
    }
    expect(rate.perSecond()).toBeLessThan(4);
    expect(rate.memory().perSecond).toBe(50);
    rate.resume(rate.memory());
    expect(rate.perSecond()).toBe(50);
  });

  it('tries the rate before a burst again after the calls of a second, then half of it', () => {
    const rate = createRate(CEILING);
    rate.resume({ perSecond: 50 });
    const refuse = (calls: number): void => {
      for (let n = 0; n < calls; n += 1) {
        rate.refused(rate.sent(true));
      }
    };
    refuse(20);
    const slow = rate.perSecond();
    for (let n = 0; n < 4; n += 1) {
      expect(rate.perSecond()).toBe(slow);
      rate.accepted(rate.sent(true));
    }
    expect(rate.perSecond()).toBe(50);
    // 429s of the burst count as usual for some time.
    refuse(8);
    expect(rate.perSecond()).toBe(slow);
    expect(rate.memory().perSecond).toBe(25);
  });

  it('is never above the ceiling, and never below one call a second, whatever the outcomes', () => {
    fc.assert(
      fc.property(
        fc.array(fc.boolean(), { minLength: 100, maxLength: 500 }),
        fc.boolean(),
        (outcomes, isPaced) => {
          const rate = createRate(CEILING);
          for (const refused of outcomes) {
            (refused ? rate.refused : rate.accepted)(rate.sent(isPaced));
            expect(rate.perSecond()).toBeGreaterThanOrEqual(1);
            expect(rate.perSecond()).toBeLessThanOrEqual(CEILING);
          }
        },
      ),
    );
  });

  it('is a function of the outcomes alone', () => {
    const server = { limit: 20, latencyMs: 300 };
    expect(simulate(2000, server)).toEqual(simulate(2000, server));
  });

  it('does not grow with calls that did not wait for their turn', () => {
    const rate = createRate(CEILING);
    for (let n = 0; n < 500; n += 1) {
      rate.accepted(rate.sent(false));
    }
    expect(rate.memory().perSecond).toBe(10);
  });

  it('decreases at once for calls that are refused without having waited', () => {
    const rate = createRate(CEILING);
    for (let n = 0; n < 6; n += 1) {
      rate.refused(rate.sent(false));
    }
    expect(rate.perSecond()).toBeLessThanOrEqual(4);
  });

  it('returns within 1,500 calls after a lower limit is gone', () => {
    const rate = createRate(CEILING);
    rate.resume({ perSecond: 8, limit: 10 });
    for (let n = 0; n < 1500; n += 1) {
      rate.accepted(rate.sent(true));
    }
    expect(rate.memory()).toEqual({ perSecond: CEILING, limit: undefined });
  });

  it('has trials after as many calls as the refusals of the last one cost', () => {
    const rate = createRate(CEILING);
    rate.resume({ perSecond: 20, limit: 24 });
    callsUntilTrial(rate);
    failTrial(rate);
    expect(callsUntilTrial(rate)).toBeGreaterThan(300);
  });

  it('has a trial at least every 200 seconds, however many calls of the last one were refused', () => {
    const rate = createRate(CEILING);
    rate.resume({ perSecond: 1, limit: 1.2 });
    callsUntilTrial(rate);
    failTrial(rate);
    expect(callsUntilTrial(rate)).toBe(200);
  });

  it('tries a limit again soon if it was exceeded only once, and only then', () => {
    const rate = createRate(CEILING);
    rate.resume({ perSecond: 20 });
    callsUntilTrial(rate);
    failTrial(rate);
    expect(callsUntilTrial(rate)).toBe(20);
    failTrial(rate);
    expect(callsUntilTrial(rate)).toBeGreaterThan(300);
  });

  it('keeps its rate if an eighth of the calls get 429s, and slows down if a sixth do', () => {
    /** The rate after many calls, every `each`-th of which gets a 429. */
    const after = (each: number): number => {
      const rate = createRate(CEILING);
      rate.resume({ perSecond: 50, limit: 55 });
      for (let n = 1; n <= 2000; n += 1) {
        (n % each === 0 ? rate.refused : rate.accepted)(rate.sent(false));
      }
      return rate.perSecond();
    };
    expect(after(12)).toBeGreaterThanOrEqual(50);
    expect(after(8)).toBeGreaterThanOrEqual(50);
    // By a step, not to a crawl.
    expect(after(6)).toBeLessThan(50);
    expect(after(6)).toBeGreaterThan(25);
  });

  it('does not slow down for one 429, although thousands of calls were accepted before', () => {
    const rate = createRate(CEILING);
    rate.resume({ perSecond: 50, limit: 55 });
    for (let n = 0; n < 12_000; n += 1) {
      (isTrial(rate) ? rate.refused : rate.accepted)(rate.sent(true));
    }
    failTrial(rate);
    rate.refused(rate.sent(true));
    expect(rate.perSecond()).toBe(50);
  });
});
