import { describe, expect, it } from 'vitest';

import { controls } from './controls.ts';
import { defaultFeatures, featureNames, readFeatures } from './features.ts';
import { play } from './play.ts';

/** A few seeds of `npm run fuzz`, and the controls that show that it sees anything at all. */

const SEEDS = 25;
/** A control that takes more seeds than this is as good as not caught. */
const MAX_SEEDS = 400;

describe('random schedules', () => {
  it(`break nothing, with ${SEEDS} seeds`, async () => {
    const found: string[] = [];
    for (let seed = 1; seed <= SEEDS; seed += 1) {
      const { violations } = await play({ seed, features: defaultFeatures });
      found.push(...violations.map((violation) => `seed ${seed}: ${violation}`));
    }
    expect(found).toEqual([]);
  });

  it.each([3, 11])('are the same each time seed %i is played', async (seed) => {
    const first = await play({ seed, features: new Set(featureNames), isTraced: true });
    const second = await play({ seed, features: new Set(featureNames), isTraced: true });
    expect(first.trace.length).toBeGreaterThan(100);
    expect(second.trace).toEqual(first.trace);
  });

  it.each(controls)('show what breaks with $name', async ({ breaks, ...control }) => {
    const features = new Set([...defaultFeatures, ...(control.features ?? [])]);
    let found: string | undefined;
    for (let seed = 1; seed <= MAX_SEEDS && found === undefined; seed += 1) {
      const { violations } = await play({ seed, features, control: { breaks, ...control } });
      found = violations.find((violation) => breaks.test(violation));
    }
    expect(found).toMatch(breaks);
  });
});

describe('the features', () => {
  it('are changed by + and -, and replaced by names alone', () => {
    expect(readFeatures('+long-batches,-late')).toEqual(
      new Set([...[...defaultFeatures].filter((name) => name !== 'late'), 'long-batches']),
    );
    expect(readFeatures('late,batches')).toEqual(new Set(['late', 'batches']));
    expect(readFeatures('all')).toEqual(new Set(featureNames));
    expect(() => readFeatures('+lates')).toThrow('found the feature lates');
  });
});
