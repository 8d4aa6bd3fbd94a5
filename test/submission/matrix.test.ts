import { describe, expect, it } from 'vitest';

import { behaviours, deliveries, play } from './scenario.ts';
import { findStrikes, nameOf } from './strikes.ts';

/**
 * The fault matrix: every step of submit and poll × {crash before, crash after, error, time-out, lost answer} × what EE does
 * × how the message is delivered. Here each fault is struck with one of five seeds (jitter, the list's order, when the
 * poller comes, whether its runs overlap); `npm run matrix -- --seeds 5` strikes each with all of them.
 */

const seeds = [1, 2, 3, 4, 5];
/** Every other fault, to keep the tests short; the command strikes each. */
const everyOther = 2;

describe.each(behaviours)('$name', (behaviour) => {
  describe.each(deliveries)('delivered %s', (delivery) => {
    it.each(seeds)('keeps the promise whatever fails (seed %i)', async (seed) => {
      const base = { behaviour, delivery, seed };
      const failures: string[] = [];
      for (const [index, at] of (await findStrikes(base)).entries()) {
        if (index % (everyOther * seeds.length) === everyOther * (seed - 1)) {
          const { violations } = await play({ ...base, at });
          failures.push(...violations.map((violation) => `${nameOf(at)}: ${violation}`));
        }
      }
      expect(failures).toEqual([]);
    });
  });
});
