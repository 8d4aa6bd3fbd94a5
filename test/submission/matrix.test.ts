import { describe, expect, it } from 'vitest';

import { type Fault, faultKinds } from './faults.ts';
import { behaviours, deliveries, play, type Scenario } from './scenario.ts';

/**
 * The fault matrix: every step of submit and poll × {crash before, crash after, error, time-out, lost answer} × what EE does
 * × how the message is delivered, with five seeds for jitter, the list's order and overlapping polls.
 *
 * The steps are not written down here but found by a run in which nothing fails, so that a new one is struck too.
 */

const seeds = [1, 2, 3, 4, 5];
/** A step's first calls are each struck; what comes later is the same again. */
const OCCURRENCES = 2;

async function strikes(base: Omit<Scenario, 'at'>): Promise<NonNullable<Scenario['at']>[]> {
  const { submitter, poller, violations } = await play(base);
  expect(violations).toEqual([]);
  return (
    [
      ['submit', submitter.steps],
      ['poll', poller.steps],
    ] as const
  ).flatMap(([process, steps]) =>
    [...Map.groupBy(steps, (step) => step)].flatMap(([step, calls]) =>
      calls.slice(0, OCCURRENCES).flatMap((_, index) =>
        faultKinds.map((kind) => {
          const fault: Fault = { step, occurrence: index + 1, kind };
          return { process, fault };
        }),
      ),
    ),
  );
}

let played = 0;

describe.each(seeds)('seed %i', (seed) => {
  describe.each(behaviours)('$name', (behaviour) => {
    it.each(deliveries)('delivered %s', async (delivery) => {
      const base = { behaviour, delivery, seed };
      const failures: string[] = [];
      for (const at of await strikes(base)) {
        const { violations } = await play({ ...base, at });
        played += 1;
        failures.push(
          ...violations.map(
            (violation) =>
              `${at.process} ${at.fault.step}#${at.fault.occurrence} ${at.fault.kind}: ${violation}`,
          ),
        );
      }
      expect(failures).toEqual([]);
    });
  });
});
