import { describe, expect, it } from 'vitest';

import { createRandom } from '../../infra/local/simulator/random.ts';
import { estimate, type PastJob } from '../../shared/estimate/estimate.ts';
import { createHistory, kinds } from './histories.ts';

const SEEDS = 3;
const JOBS = 120;

/** How many of a history's jobs end in the range that the others give. */
function coverageOf(history: readonly PastJob[]): number {
  const covered = history.filter(({ eecuSeconds, extent }, index) => {
    const range = estimate(history.toSpliced(index, 1), [extent]);
    return range && range.low <= eecuSeconds && eecuSeconds <= range.high;
  });
  return covered.length / history.length;
}

const warningsOf = (history: readonly PastJob[]): string[] =>
  estimate(history, [undefined])?.instabilities.map(({ kind }) => kind) ?? [];

describe('the range of an estimate', () => {
  it.each(kinds)('covers 70 to 90 percent of a %s history, leave-one-out', (kind) => {
    for (let seed = 1; seed <= SEEDS; seed += 1) {
      const coverage = coverageOf(createHistory(kind, seed, JOBS));
      expect(coverage, `seed ${seed}`).toBeGreaterThanOrEqual(0.7);
      expect(coverage, `seed ${seed}`).toBeLessThanOrEqual(0.9);
    }
  });

  it.each([9, 20, 50])('covers 70 to 90 percent on average over histories of %s jobs', (length) => {
    const coverages = Array.from({ length: 20 }, (_, seed) =>
      coverageOf(createHistory('stable', seed, length)),
    );
    const mean = coverages.reduce((sum, coverage) => sum + coverage, 0) / coverages.length;
    expect(mean).toBeGreaterThanOrEqual(0.7);
    expect(mean).toBeLessThanOrEqual(0.9);
  });

  it('covers the next job of a stable history as often', () => {
    const history = createHistory('stable', 1, 400);
    const next = history.slice(200).filter(({ eecuSeconds }, index) => {
      const range = estimate(history.slice(0, 200 + index), [undefined]);
      return range && range.low <= eecuSeconds && eecuSeconds <= range.high;
    });
    expect(next.length / 200).toBeGreaterThan(0.7);
    expect(next.length / 200).toBeLessThan(0.9);
  });

  it.each([1, 3, 8])('is that of the extremes after %s jobs, and says so', (length) => {
    const history = createHistory('stable', 1, length);
    const costs = history.map(({ eecuSeconds }) => eecuSeconds);
    expect(estimate(history, [undefined])).toMatchObject({
      low: Math.min(...costs),
      high: Math.max(...costs),
      isEightyPercent: false,
      similarJobs: length,
    });
  });

  it('is unknown if nothing similar has run, or without a cost', () => {
    expect(estimate([], [undefined])).toBeUndefined();
    expect(estimate(createHistory('stable', 1), [])).toBeUndefined();
    expect(estimate([{ eecuSeconds: 0 }, { eecuSeconds: Number.NaN }], [undefined])).toBeUndefined();
  });
});

describe('an unstable history', () => {
  it.each([
    ['stable', []],
    ['heavy-tailed', ['HEAVY_TAIL']],
    ['drifting', ['DRIFT']],
    ['two modes', ['TWO_MODES']],
  ] as const)('that is %s says %j', (kind, warnings) => {
    for (let seed = 1; seed <= 50; seed += 1) {
      expect(warningsOf(createHistory(kind, seed)), `seed ${seed}`).toEqual(warnings);
    }
  });

  it('needs twenty jobs to be called that', () => {
    expect(warningsOf(createHistory('two modes', 1, 19))).toEqual([]);
  });

  it('is not one in which all jobs cost the same', () => {
    expect(warningsOf(Array.from({ length: 50 }, () => ({ eecuSeconds: 100 })))).toEqual([]);
  });
});

describe('the scale', () => {
  const random = createRandom(7);
  const sized = (costOf: (frames: number, days: number) => number): PastJob[] =>
    Array.from({ length: 100 }, () => {
      const frames = 10 + Math.floor(random() * 500);
      const days = 1 + Math.floor(random() * 300);
      const noise = 0.8 + 0.4 * random();
      return { eecuSeconds: costOf(frames, days) * noise, extent: { frames, days } };
    });

  it('is the figure that predicts the history best', () => {
    expect(
      estimate(
        sized((frames) => frames),
        [{ frames: 100, days: 1 }],
      )?.scaledBy,
    ).toBe('frames');
    expect(
      estimate(
        sized((_, days) => days),
        [{ frames: 100, days: 1 }],
      )?.scaledBy,
    ).toBe('days');
  });

  it('makes the estimate of a larger job larger', () => {
    const history = sized((frames) => 10 * frames);
    const range = estimate(history, [{ frames: 1000, days: 1 }]);
    expect(range?.low).toBeGreaterThan(7900);
    expect(range?.high).toBeLessThan(12_100);
    expect(coverageOf(history)).toBeGreaterThanOrEqual(0.7);
    expect(coverageOf(history)).toBeLessThanOrEqual(0.9);
  });

  it('is none if costs do not depend on the size', () => {
    expect(
      estimate(
        sized(() => 500),
        [{ frames: 100, days: 1 }],
      )?.scaledBy,
    ).toBeUndefined();
  });

  it('is none if all jobs of the history have the same size', () => {
    const history = createHistory('stable', 1).map((job) => Object.assign(job, { extent: { frames: 21 } }));
    expect(estimate(history, [{ frames: 100 }])?.scaledBy).toBeUndefined();
  });

  it('is none if the size of the job is unknown, or of too few jobs of the history', () => {
    const history = sized((frames) => frames);
    expect(estimate(history, [{}])?.scaledBy).toBeUndefined();
    const old = history.map(({ eecuSeconds }, index) =>
      index < 95 ? { eecuSeconds } : (history[index] as PastJob),
    );
    expect(estimate(old, [{ frames: 10 }])).toMatchObject({ scaledBy: undefined, similarJobs: 100 });
  });

  it('leaves out the jobs of the history whose size is unknown', () => {
    const history = sized((frames) => frames);
    const mixed = [...history, ...history.map(({ eecuSeconds }) => ({ eecuSeconds }))];
    expect(estimate(mixed, [{ frames: 10, days: 1 }])).toMatchObject({
      scaledBy: 'frames',
      similarJobs: 100,
    });
  });
});

describe('the total of many jobs', () => {
  it('is relatively narrower than that of one, and the same each time', () => {
    const history = createHistory('stable', 3);
    const [one, many] = [estimate(history, [undefined]), estimate(history, [undefined], 1000)];
    if (!one || !many) {
      throw new Error('no estimate');
    }
    expect(many.median / one.median).toBeGreaterThan(900);
    expect(many.median / one.median).toBeLessThan(1200);
    expect((many.high - many.low) / many.median).toBeLessThan((one.high - one.low) / one.median / 5);
    expect(estimate(history, [undefined], 1000)).toEqual(many);
  });

  it.each([
    [100, 20],
    [15, 300],
  ])('covers what as many jobs cost: from %i jobs, for %i', (known, count) => {
    let covered = 0;
    for (let seed = 1; seed <= 50; seed += 1) {
      const jobs = createHistory('stable', seed, known + count);
      const range = estimate(jobs.slice(0, known), [undefined], count);
      const total = jobs.slice(known).reduce((sum, { eecuSeconds }) => sum + eecuSeconds, 0);
      covered += range && range.low <= total && total <= range.high ? 1 : 0;
    }
    expect(covered).toBeGreaterThanOrEqual(34);
    expect(covered).toBeLessThanOrEqual(46);
  });
});
