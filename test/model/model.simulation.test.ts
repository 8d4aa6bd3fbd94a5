import { describe, expect, it } from 'vitest';

import { createRandom } from '../../infra/local/simulator/random.ts';
import { explore, walk } from './explore.ts';
import { controls, slices } from './slices.ts';

/**
 * Every order in which two deliveries, two pollers, crashes, timeouts, late requests, Earth Engine's replies, lagging
 * lists, and a cancellation can happen, up to a number of worlds. `npm run verify` explores more, and so does
 * `npm run model -- --states 1000000`.
 * Every decision about a record is made by the product's own function.
 */

const STATES = 5000;
/** The search ends at the violation: the longest one takes 38,000. */
const CONTROL_STATES = 45_000;
const WALKS = 30;
const WALK_STEPS = 80;
/** A world rarely takes more than a few milliseconds, even on a busy machine. */
const TIMEOUT_MS = 60_000;

describe('no schedule duplicates a job, loses it, or leaves it stuck', () => {
  it.each(slices)('$name', { timeout: TIMEOUT_MS }, ({ name: _name, ...slice }) => {
    const { violation, states } = explore({ ...slice, maxStates: STATES });
    expect(violation).toBeUndefined();
    expect(states).toBeGreaterThan(1000);
  });
});

describe('no random schedule does so, however deep', () => {
  it.each(slices)('$name', { timeout: TIMEOUT_MS }, ({ name: _name, ...slice }) => {
    for (let seed = 1; seed <= WALKS; seed += 1) {
      const { violation } = walk({ ...slice, maxStates: 0, random: createRandom(seed) }, WALK_STEPS);
      expect(violation).toBeUndefined();
    }
  });
});

describe('the model finds the schedule that breaks the promise without', () => {
  it.each(controls)('$name', { timeout: TIMEOUT_MS }, ({ name: _name, without, breaks, ...slice }) => {
    const { violation } = explore({ ...slice, maxStates: CONTROL_STATES, rules: { [without]: false } });
    expect(violation?.what).toMatch(breaks);
    expect(violation?.steps.length).toBeLessThan(20);
  });
});
