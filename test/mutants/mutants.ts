import type { Mutant } from './mutant.ts';
import { batches } from './safeguards/batches.ts';
import { checks } from './safeguards/checks.ts';
import { commandLine } from './safeguards/command-line.ts';
import { budgetMutants } from './safeguards/budgets.ts';
import { deliveries } from './safeguards/deliveries.ts';
import { earthEngine } from './safeguards/earth-engine.ts';
import { identity } from './safeguards/identity.ts';
import { infrastructure } from './safeguards/infrastructure.ts';
import { messages } from './safeguards/messages.ts';
import { polling } from './safeguards/polling.ts';
import { sending } from './safeguards/sending.ts';
import { storing } from './safeguards/storing.ts';

/** Every mutant, in the order in which data moves. */
export const mutants: readonly Mutant[] = [
  ...messages,
  ...identity,
  ...checks,
  ...earthEngine,
  ...storing,
  ...sending,
  ...polling,
  ...batches,
  ...budgetMutants,
  ...deliveries,
  ...commandLine,
  ...infrastructure,
];
