import { describe, expect, it } from 'vitest';

import { createRandom } from '../../infra/local/simulator/random.ts';
import { explore, walk } from './explore.ts';
import { controls, slices } from './slices.ts';

/**
 * Every order of things that two deliveries, two pollers, crashes, time-outs, late requests, EE's replies, lagging lists and
 * a cancellation can happen in, up to a number of worlds; `npm run model -- --states 1000000` goes further. Every
 * decision on a record is the product's own function.
 */

const STATES = 12_000;
const WALKS = 60;
const WALK_STEPS = 80;
/** Rarely more than a few milliseconds a world, even on a machine that is busy with other tests. */
const PATIENCE_MS = 60_000;

describe('no schedule doubles, loses or sticks a job', () => {
  it.each(slices)('$name', { timeout: PATIENCE_MS }, ({ name: _name, ...slice }) => {
    const { violation, states } = explore({ ...slice, maxStates: STATES });
    expect(violation).toBeUndefined();
    expect(states).toBeGreaterThan(1000);
  });
});

describe('no schedule by chance does, however deep', () => {
  it.each(slices)('$name', { timeout: PATIENCE_MS }, ({ name: _name, ...slice }) => {
    for (let seed = 1; seed <= WALKS; seed += 1) {
      const { violation } = walk({ ...slice, maxStates: 0, random: createRandom(seed) }, WALK_STEPS);
      expect(violation).toBeUndefined();
    }
  });
});

describe('without it, the model finds the schedule that breaks the promise', () => {
  it.each(controls)('$name', { timeout: PATIENCE_MS }, ({ name: _name, without, breaks, ...slice }) => {
    const { violation } = explore({ ...slice, maxStates: STATES, rules: { [without]: false } });
    expect(violation?.what).toMatch(breaks);
    expect(violation?.steps.length).toBeLessThan(20);
  });
});
