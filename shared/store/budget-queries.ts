import type { BudgetMatch } from '../model/budget.ts';
import { activeStates } from '../model/record.ts';
import type { Query } from './queries.ts';

/** Queries over `exportBudgets`. */
export const budgetQueries = {
  all: (): Query => ({ where: [], orderBy: [] }),
} as const;

type Where = Query['where'][number];

/** After every text that begins with the same characters, as far as IDs go: they are ASCII. */
const afterPrefix = (prefix: string): string => `${prefix}\uf8ff`;

const conditions = ({ project, batchIdPrefix, label }: BudgetMatch): Where[] => [
  ...(project === undefined ? [] : [['project', '==', project] as const]),
  ...(label === undefined ? [] : [[`labels.${label.key}`, '==', label.value] as const]),
  ...(batchIdPrefix === undefined
    ? []
    : [['batchId', '>=', batchIdPrefix] as const, ['batchId', '<', afterPrefix(batchIdPrefix)] as const]),
];

/**
 * Queries over `videoExports` for the jobs that a budget covers; the database sums their `eecuSeconds`. For a match of
 * several fields, Firestore combines the indexes of each, so only single fields, and batches within a project, need one.
 */
export const spendingQueries = {
  /** Jobs that ended in a period. Only final records have `finishedAt`. */
  endedIn: (match: BudgetMatch, since: Date | undefined, before?: Date): Query => ({
    where: [
      ...conditions(match),
      ['finishedAt', '>=', since ?? new Date(0)],
      ...(before === undefined ? [] : [['finishedAt', '<', before] as const]),
    ],
    orderBy: [],
  }),
  /** Jobs that Earth Engine has and has not ended. */
  active: (match: BudgetMatch): Query => ({
    where: [...conditions(match), ['state', 'in', activeStates]],
    // Firestore orders by the field of a range in any case; pages need to know.
    orderBy: match.batchIdPrefix === undefined ? [] : [['batchId', 'asc']],
  }),
} as const;
