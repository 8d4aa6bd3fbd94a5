import { MINUTE_MS, SECOND_MS } from '../clock.ts';
import type { BudgetStatus } from '../model/budget.ts';
import { budgetQueries } from '../store/budget-queries.ts';
import { isReadable } from '../store/store.ts';
import { type CoveredJob, covers } from './figures.ts';
import { BUDGET_STATUS_ID, type BudgetServices, refreshBudgets } from './refresh.ts';

/** An instance's view of the budgets: one read every few seconds, however many budgets there are. */

const CACHE_MS = 5 * SECOND_MS;

/** Every poll refreshes the stored figures. If none has for this long, the next reader does. */
const VALID_MS = 2 * MINUTE_MS;

export interface BudgetWatch {
  /** The ID of a budget that lets the job not start now; undefined if none does. Never rejects. */
  holdOn(job: CoveredJob): Promise<string | undefined>;
  /** Sums everything now. @throws what the store rejects with */
  refresh(): Promise<BudgetStatus>;
}

interface View {
  readonly at: Date;
  /** Undefined if it was never read. */
  readonly status: BudgetStatus | undefined;
  /** It could not be read just now: only strict budgets hold. */
  readonly failed: boolean;
}

export function createBudgetWatch(services: BudgetServices): BudgetWatch {
  const { store, clock, log } = services;
  let viewing: Promise<View> | undefined;

  const read = async (last: View | undefined): Promise<View> => {
    const at = clock.now();
    try {
      return { at, status: await current(last?.status, at), failed: false };
    } catch (error) {
      log.error('budget.unknown', error);
      return { at, status: last?.status, failed: true };
    }
  };

  const current = async (last: BudgetStatus | undefined, now: Date): Promise<BudgetStatus> => {
    if (last === undefined || last.budgets.length === 0) {
      const any = await store.budgets.find(budgetQueries.all(), { limit: 1 });
      if (any.length === 0) {
        return { computedAt: now, budgets: [] };
      }
    }
    const found = await store.budgetStatus.get(BUDGET_STATUS_ID);
    return found && isReadable(found) && isValid(found.value, now) ? found.value : refreshBudgets(services);
  };

  const recent = async (): Promise<View> => {
    const known = viewing;
    const view = await known;
    if (view && clock.now().getTime() - view.at.getTime() < CACHE_MS) {
      return view;
    }
    // A read that took long was begun late enough too: reading again until one is quick could take forever.
    return viewing === known ? (viewing = read(view)) : (viewing ?? recent());
  };

  return {
    holdOn: async (job) => {
      const { status, failed } = await recent();
      const holding = status?.budgets.find(
        ({ match, holds, strict }) => (failed ? strict : holds) && covers(match, job),
      );
      return holding?.id;
    },
    refresh: async () => {
      const at = clock.now();
      const status = await refreshBudgets(services);
      viewing = Promise.resolve({ at, status, failed: false });
      return status;
    },
  };
}

/** Figures of a month that is over say nothing about the new one. */
const isValid = ({ computedAt, budgets }: BudgetStatus, now: Date): boolean =>
  now.getTime() - computedAt.getTime() < VALID_MS &&
  budgets.every(({ endsAt }) => endsAt === undefined || now < endsAt);
