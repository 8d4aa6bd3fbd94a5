import { BUDGET_STATUS_ID } from '../shared/budget/refresh.ts';
import type { BudgetFigures } from '../shared/model/budget.ts';
import { isReadable } from '../shared/store/store.ts';
import type { Cli } from './cli.ts';

/** The budgets as the last poll summed them: one read. Those of a month that is over say nothing about the new one. */
export async function readBudgetFigures(cli: Cli): Promise<readonly BudgetFigures[]> {
  const { budgetStatus } = await cli.store();
  const found = await budgetStatus.get(BUDGET_STATUS_ID);
  const budgets = found && isReadable(found) ? found.value.budgets : [];
  return budgets.filter(({ endsAt }) => endsAt === undefined || cli.clock.now() < endsAt);
}

/** EECU-hours for people: hundredths, or two significant digits of less than a tenth, so that little is not shown as nothing. */
export const hours = (value: number | undefined): string =>
  value === undefined
    ? '?'
    : value === 0 || value >= 0.1
      ? value.toFixed(2)
      : String(Number(value.toPrecision(2)));

/** EECU-hours; undefined if they are unknown. */
export const leftHours = ({ limitEecuHours, spentEecuSeconds }: BudgetFigures): number | undefined =>
  limitEecuHours === undefined || spentEecuSeconds === undefined
    ? undefined
    : Math.max(0, limitEecuHours - spentEecuSeconds / 3600);
