import { describe, expect, it } from 'vitest';

import { behaviors, deliveries, play } from './scenario.ts';
import { findInjections, nameOf } from './injections.ts';

/**
 * The fault matrix: every step of submit and poll × {crash before, crash after, error, timeout, lost answer} × Earth
 * Engine's behavior × the delivery of the message. Here each fault is injected with one of three seeds (jitter, the
 * order of the list, the time of the polls, whether runs overlap); `npm run matrix -- --seeds 5` injects each fault
 * with all of them.
 */

const seeds = [1, 2, 3];
/** One fault in sixteen, to keep the tests short; the command, which `npm run verify` runs too, injects all of them. */
const share = 16;

describe.each(behaviors)('$name', (behavior) => {
  describe.each(deliveries)('delivered %s', (delivery) => {
    it.each(seeds)('keeps the promise at every fault (seed %i)', async (seed) => {
      const base = { behavior, delivery, seed };
      const failures: string[] = [];
      for (const [index, at] of (await findInjections(base)).entries()) {
        if (index % (share * seeds.length) === share * (seed - 1)) {
          const { violations } = await play({ ...base, at });
          failures.push(...violations.map((violation) => `${nameOf(at)}: ${violation}`));
        }
      }
      expect(failures).toEqual([]);
    });
  });
});
