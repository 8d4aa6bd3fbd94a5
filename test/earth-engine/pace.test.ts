import { describe, expect, it } from 'vitest';

import { HOUR_MS, later, MINUTE_MS, SECOND_MS } from '../../shared/clock.ts';
import { EarthEngineError } from '../../shared/earth-engine/api.ts';
import { createPace, type Pace } from '../../shared/earth-engine/pace.ts';
import { createTestClock, type TestClock } from '../harness.ts';

const tooMany = (retryAfterMs?: number): EarthEngineError =>
  new EarthEngineError('RATE_LIMITED', {
    message: 'slow down',
    httpStatus: 429,
    status: 'RESOURCE_EXHAUSTED',
    reply: 'slow down',
    retryAfterMs,
  });

const failure = (kind: 'UNANSWERED' | 'REFUSED'): EarthEngineError =>
  new EarthEngineError(kind, { message: kind, httpStatus: 500, status: kind, reply: kind });

interface Called {
  readonly refused: number;
  readonly ms: number;
}

/** Makes calls one after another, each of which is answered at once. */
async function call(
  { clock, pace }: { clock: TestClock; pace: Pace },
  calls: number,
  answer: (number: number) => EarthEngineError | undefined,
): Promise<Called> {
  const start = clock.now().getTime();
  let refused = 0;
  for (let number = 0; number < calls; number += 1) {
    const turn = await pace.turn(later(clock.now(), MINUTE_MS));
    const error = answer(number);
    refused += error ? 1 : 0;
    turn?.end(error);
  }
  return { refused, ms: clock.now().getTime() - start };
}

const begin = (ceiling = 100) => {
  const clock = createTestClock();
  return { clock, pace: createPace(clock, ceiling) };
};

/** Refuses what exceeds a number of calls within any second. */
function limitOf(clock: TestClock, perSecond: number) {
  let accepted: number[] = [];
  return () => {
    const now = clock.now().getTime();
    accepted = accepted.filter((at) => at > now - SECOND_MS);
    if (accepted.length >= perSecond) {
      return tooMany();
    }
    accepted.push(now);
    return undefined;
  };
}

const accept = () => undefined;

describe('the pace of calls', () => {
  it('starts at a tenth of the ceiling, and reaches it within seconds', async () => {
    const world = begin();
    const { ms } = await call(world, 11, accept);
    expect(ms).toBeGreaterThan(890);
    expect((await call(world, 400, accept)).ms).toBeLessThan(10 * SECOND_MS);
    const full = await call(world, 200, accept);
    expect(full.ms).toBeGreaterThanOrEqual(1990);
    expect(full.ms).toBeLessThanOrEqual(2010);
  });

  it.each([5, 20, 100])(
    'finds a limit of %i calls a second, which less than one call in 50 exceeds',
    async (limit) => {
      const world = begin();
      const { refused, ms } = await call(world, limit * 300, limitOf(world.clock, limit));
      expect(refused).toBeLessThan(limit * 300 * 0.02);
      expect(ms).toBeLessThan((300 / 0.8) * SECOND_MS);
    },
  );

  it('decreases when a few calls are refused, and not when one is', async () => {
    const world = begin();
    await call(world, 600, accept);
    await call(world, 1, () => tooMany());
    expect(world.pace.callsAtOnce(SECOND_MS)).toBe(100);
    await call(world, 2, () => tooMany());
    expect(world.pace.callsAtOnce(SECOND_MS)).toBeLessThanOrEqual(85);
  });

  it('decreases once for all calls that were in flight together', async () => {
    const world = begin();
    await call(world, 400, accept);
    const turns = [];
    for (let n = 0; n < 30; n += 1) {
      turns.push(await world.pace.turn(later(world.clock.now(), MINUTE_MS)));
    }
    for (const turn of turns) {
      turn?.end(tooMany());
    }
    expect(world.pace.callsAtOnce(SECOND_MS)).toBeGreaterThan(75);
  });

  it.each([
    [1, 0.9],
    [2, 0.8],
    [5, 0.6],
  ])('stays fast if of a hundred calls, %i are refused at any rate', async (percent, share) => {
    const calls = 6000;
    const undisturbed = await call(begin(), calls, accept);
    let seed = 7;
    const { ms, refused } = await call(begin(), calls, () => {
      seed = (seed * 48_271) % 2_147_483_647;
      return seed / 2_147_483_647 < percent / 100 ? tooMany() : undefined;
    });
    expect(((calls - refused) / ms) * (undisturbed.ms / calls)).toBeGreaterThan(share);
  });

  it('follows a limit that becomes lower, and one that becomes higher again', async () => {
    const world = begin();
    await call(world, 1000, accept);
    const lower = limitOf(world.clock, 10);
    await call(world, 500, lower);
    expect((await call(world, 1000, lower)).refused).toBeLessThan(80);
    expect((await call(world, 1500, accept)).ms).toBeLessThan(100 * SECOND_MS);
    expect(world.pace.memory().perSecond).toBe(100);
  });

  it('says when calls are refused over and over, and for how long calls wait after Retry-After', async () => {
    const world = begin();
    await call(world, 9, () => tooMany());
    expect(world.pace.isRefusedPersistently()).toBe(false);
    await call(world, 1, () => tooMany(20_000));
    expect(world.pace.isRefusedPersistently()).toBe(true);
    expect(world.pace.waitMs()).toBe(20_000);
    expect(await world.pace.turn(later(world.clock.now(), 20_000))).toBeUndefined();
    await call(world, 1, accept);
    expect(world.pace.isRefusedPersistently()).toBe(false);
  });

  it('does not change with calls that were not answered, and grows with any other answer', async () => {
    const world = begin();
    await call(world, 50, () => failure('UNANSWERED'));
    expect(world.pace.memory().perSecond).toBe(10);
    await call(world, 100, () => failure('REFUSED'));
    expect(world.pace.memory().perSecond).toBeGreaterThan(15);
  });

  it('continues from a stored pace', async () => {
    const { pace, clock } = begin();
    pace.resume({ perSecond: 4, limit: 5 });
    expect((await call({ pace, clock }, 9, accept)).ms).toBeGreaterThan(1900);
  });

  it('starts over without the pause that was asked for', async () => {
    const { pace, clock } = begin();
    (await pace.turn(later(clock.now(), MINUTE_MS)))?.end(tooMany(HOUR_MS));
    expect(pace.waitMs()).toBe(HOUR_MS);
    pace.resume({ perSecond: 4 });
    expect(pace.waitMs()).toBe(HOUR_MS);
    pace.resume();
    expect(pace.waitMs()).toBeLessThan(SECOND_MS);
  });

  it('gives no turn once the process stops', async () => {
    const { pace, clock } = begin();
    const stopping = AbortSignal.abort(new Error('stopping'));
    expect(await pace.turn(later(clock.now(), MINUTE_MS), stopping)).toBeUndefined();
  });
});
