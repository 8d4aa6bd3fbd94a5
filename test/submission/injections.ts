import { faultKinds } from './faults.ts';
import { play, type Scenario } from './scenario.ts';

/** The number of calls of each step that get a fault; later calls would only repeat them. */
const OCCURRENCES = 2;

export type Injection = NonNullable<Scenario['at']>;

/**
 * Every fault of every step that a scenario's processes call. A run without faults finds the steps, so a new step is
 * included.
 *
 * @throws Error if the promise is broken without a fault
 */
export async function findInjections(base: Omit<Scenario, 'at'>): Promise<Injection[]> {
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

export const nameOf = ({ process, fault: { step, occurrence, kind } }: Injection): string =>
  `${process} ${step}#${occurrence} ${kind}`;
