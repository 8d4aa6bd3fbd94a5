import { faultKinds } from './faults.ts';
import { play, type Scenario } from './scenario.ts';

/** A step's first calls are each struck; what comes later is the same again. */
const OCCURRENCES = 2;

export type Strike = NonNullable<Scenario['at']>;

/**
 * Every fault of every step that a scenario's processes call. The steps are not written down but found by a run in which
 * nothing fails, so that a new one is struck too.
 *
 * @throws Error where the promise is broken although nothing fails
 */
export async function findStrikes(base: Omit<Scenario, 'at'>): Promise<Strike[]> {
  const { submitter, poller, violations } = await play(base);
  if (violations.length > 0) {
    throw new Error(`without any fault: ${violations.join('; ')}`);
  }
  const called = [
    ['submit', submitter.steps],
    ['poll', poller.steps],
  ] as const;
  return called.flatMap(([process, steps]) =>
    [...Map.groupBy(steps, (step) => step)].flatMap(([step, calls]) =>
      calls
        .slice(0, OCCURRENCES)
        .flatMap((_, index) =>
          faultKinds.map((kind) => ({ process, fault: { step, occurrence: index + 1, kind } })),
        ),
    ),
  );
}

export const nameOf = ({ process, fault: { step, occurrence, kind } }: Strike): string =>
  `${process} ${step}#${occurrence} ${kind}`;
