import { describe, expect, it } from 'vitest';

import { controls } from './controls.ts';
import { allFeatures, readFeatures } from './features.ts';
import { play } from './play.ts';

/** A few seeds of `npm run fuzz`, and the controls that show that it sees anything at all. */

const SEEDS = 10;
/** Without those that take long. */
const quick = readFeatures(
  '-expiry,-long-batches,-damaged-requests,-prompt-cancellations,-lists-without-descriptions,-answers-without-marker',
);
/** A control that takes more seeds than this is as good as not caught. */
const MAX_SEEDS = 400;

describe('random schedules', () => {
  it(`break nothing, with ${SEEDS} seeds`, async () => {
    const found: string[] = [];
    for (let seed = 1; seed <= SEEDS; seed += 1) {
      const { violations } = await play({ seed, features: quick });
      found.push(...violations.map((violation) => `seed ${seed}: ${violation}`));
    }
    expect(found).toEqual([]);
  });

  it.each([3, 11])('are the same each time seed %i is played', async (seed) => {
    const first = await play({ seed, features: allFeatures, isTraced: true });
    const second = await play({ seed, features: allFeatures, isTraced: true });
    expect(first.trace.length).toBeGreaterThan(100);
    expect(second.trace).toEqual(first.trace);
  });

  it.each(controls)('show what breaks with $name', async ({ breaks, ...control }) => {
    const features = new Set([...quick, ...(control.features ?? [])]);
    let found: string | undefined;
    const seeds = Array.from({ length: MAX_SEEDS }, (_, n) => n + 1);
    for (const seed of control.caughtBy === undefined ? seeds : [control.caughtBy, ...seeds]) {
      const { violations } = await play({ seed, features, control: { breaks, ...control } });
      found = violations.find((violation) => breaks.test(violation));
      if (found !== undefined) {
        break;
      }
    }
    expect(found).toMatch(breaks);
  });
});

describe('the features', () => {
  it('are left out with -, or are the only ones', () => {
    expect(readFeatures('-long-batches,-late')).toEqual(
      new Set([...allFeatures].filter((name) => name !== 'late' && name !== 'long-batches')),
    );
    expect(readFeatures('late,batches')).toEqual(new Set(['late', 'batches']));
    expect(() => readFeatures('lates')).toThrow('found the feature lates');
  });
});
