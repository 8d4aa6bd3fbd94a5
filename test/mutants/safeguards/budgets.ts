import { type Mutant, mutantsOf } from '../mutant.ts';

const budgets = 'test/budget/budgets.test.ts';
const many = 'test/budget/many.test.ts';
const month = 'test/budget/month.test.ts';
const race = 'test/budget/race.simulation.test.ts';
const runaways = 'test/budget/runaways.test.ts';
const total = 'test/budget/total.test.ts';
const estimates = 'test/estimate/estimate.test.ts';

/** Budgets, and estimates of what jobs will cost. */
export const budgetMutants: readonly Mutant[] = [
  ...mutantsOf(
    'shared/submission/submit.ts',
    [budgets, month],
    [
      {
        name: 'budget-ignored-by-new-jobs',
        removes: 'a budget holds new jobs',
        find: 'const heldBy = await gate.budgets.holdOn(job);',
        replace: 'const heldBy = undefined as string | undefined;',
      },
    ],
  ),
  ...mutantsOf(
    'shared/polling/resume.ts',
    [budgets, month],
    [
      {
        name: 'budget-ignored-by-the-queue',
        removes: 'a budget holds jobs of the queue',
        find: 'isHeld ? undefined : await run.gate.budgets.holdOn(record);',
        replace: 'undefined as string | undefined;',
      },
    ],
  ),
  ...mutantsOf(
    'shared/polling/budgets.ts',
    [budgets, month],
    [
      {
        name: 'released-while-held',
        removes: 'jobs of a budget that holds are not released',
        find: "if (typeof budgetId === 'string' && !holding.has(budgetId)) {",
        replace: "if (typeof budgetId === 'string') {",
      },
      {
        name: 'budget-does-not-cancel',
        removes: 'CANCEL cancels what runs',
        find: 'budgets.filter(({ cancels }) => cancels)',
        replace: 'budgets.filter(() => false)',
      },
      {
        name: 'one-record-stops-a-budget',
        removes: 'a record that cannot be written does not stop its budget',
        find: "run.log.error('record.failed', error, { recordId: id });\n    return undefined;",
        replace: 'throw error;',
      },
    ],
  ),
  ...mutantsOf(
    'shared/budget/figures.ts',
    [budgets, month],
    [
      {
        name: 'threshold-told-again',
        removes: 'a threshold is reported once',
        find: 'const told = isSame ? previous.told : [];',
        replace: 'const told: BudgetFigures["told"] = [];',
      },
      {
        name: 'raised-limit-not-told',
        removes: 'thresholds of a changed limit are reported again',
        find: 'previous?.period === period && previous.limitEecuHours === limitEecuHours',
        replace: 'previous?.period === period',
      },
      {
        name: 'running-jobs-cost-nothing',
        removes: 'what running jobs have cost so far counts',
        find: 'const spentEecuSeconds = ended + active;',
        replace: 'const spentEecuSeconds = ended;',
      },
      {
        name: 'strict-budget-not-held',
        removes: 'a strict budget holds its jobs while its figures are unknown',
        find: 'holds: strict,',
        replace: 'holds: false,',
      },
      {
        name: 'unreadable-budget-holds',
        removes: 'a budget that cannot be read holds nothing unless it is strict',
        find: 'holds: strict,',
        replace: 'holds: true,',
      },
    ],
  ),
  ...mutantsOf(
    'shared/budget/refresh.ts',
    [budgets],
    [
      {
        name: 'unreadable-figures-hold-forever',
        removes: 'figures of budgets that cannot be read are made again',
        find: 'return await store.budgetStatus.replace(toReplace(stored), next);',
        replace: 'return isReadable(stored) ? await store.budgetStatus.replace(stored, next) : undefined;',
      },
      {
        name: 'one-budget-stops-all',
        removes: "one budget's trouble does not stop the others",
        find: "services.log.error('budget.failed', error, { budgetId: id });",
        replace: 'throw error;',
      },
      {
        name: 'budget-event-lost',
        removes: 'an event that could not be published stays pending',
        find: '{ unpublishedEvents: failed }',
        replace: '{}',
      },
      {
        name: 'events-crowd-out-figures',
        removes: 'pending events leave room for the figures',
        find: 'return bytes > MAX_PENDING_BYTES;',
        replace: 'return bytes > MAX_PENDING_BYTES * 100;',
        tests: [many],
      },
      {
        name: 'more-budgets-than-fit',
        removes: 'only as many budgets count as fit into one document',
        find: 'return found.slice(0, MAX_BUDGETS);',
        replace: 'return found;',
        tests: [many],
      },
    ],
  ),
  ...mutantsOf(
    'shared/budget/watch.ts',
    [budgets],
    [
      {
        name: 'figures-read-until-quick',
        removes: 'figures of budgets that take long to read are used',
        find: 'return viewing === known ? (viewing = read(view)) : (viewing ?? recent());',
        replace: 'if (viewing === known) {\n      viewing = read(view);\n    }\n    return recent();',
      },
      {
        name: 'figures-of-the-old-month',
        removes: 'figures of a month that is over say nothing about the new one',
        find: 'endsAt === undefined || now < endsAt',
        replace: 'endsAt === undefined || now.getTime() > 0',
      },
      {
        name: 'figures-kept-too-long',
        removes: 'an instance uses figures for five seconds',
        find: 'const CACHE_MS = 5 * SECOND_MS;',
        replace: 'const CACHE_MS = 300 * SECOND_MS;',
        tests: [race, budgets],
      },
    ],
  ),
  ...mutantsOf(
    'shared/budget/spending.ts',
    [total],
    [
      {
        name: 'settled-jobs-count-twice',
        removes: 'what is settled is not summed again',
        find: 'spendingQueries.endedIn(match, settled.until)',
        replace: 'spendingQueries.endedIn(match, undefined)',
      },
      {
        name: 'settled-before-the-end-is-known',
        removes: 'nothing is settled while an older job may still end before it',
        find: 'return bound < latest ? bound : latest;',
        replace: 'return latest;',
      },
      {
        name: 'expired-jobs-forgotten',
        removes: 'what is settled is kept',
        find: 'eecuSeconds: known.eecuSeconds + more }',
        replace: 'eecuSeconds: more }',
      },
      {
        name: 'infinite-costs-stored',
        removes: 'a sum that is not finite is not stored',
        find: 'if (!Number.isFinite(sum)) {',
        replace: 'if (Number.isNaN(sum)) {',
        tests: [budgets],
      },
    ],
  ),
  ...mutantsOf(
    'shared/polling/runaways.ts',
    [runaways],
    [
      {
        name: 'runaway-seen-too-late',
        removes: 'the guard compares the latest cost, and not the one on the record',
        find: 'observed?.operation.eecuSeconds ?? record.eecuSeconds ?? 0',
        replace: 'record.eecuSeconds ?? 0',
      },
    ],
  ),
  ...mutantsOf(
    'shared/estimate/scale.ts',
    [estimates],
    [
      {
        name: 'scaled-by-taste',
        removes: 'costs are scaled only if that predicts the history better',
        find: 'let smallest = 1 - MIN_GAIN;',
        replace: 'let smallest = Infinity;',
      },
    ],
  ),
  ...mutantsOf(
    'shared/estimate/estimate.ts',
    [estimates],
    [
      {
        name: 'too-sure-of-a-total',
        removes: 'the range of a total allows for a short history',
        find: 'const resampled = ratios.map(() => pick(ratios));',
        replace: 'const resampled = ratios;',
      },
    ],
  ),
];
