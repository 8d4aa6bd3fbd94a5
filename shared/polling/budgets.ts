import pMap from 'p-map';

import {
  cancelOperations,
  isToCancelAtEarthEngine,
  requestCancelling,
} from '../cancellation/cancel-record.ts';
import type { BudgetFigures } from '../model/budget.ts';
import type { ExportRecord } from '../model/record.ts';
import { releaseHeld } from '../record/transitions.ts';
import { updateRecord } from '../records.ts';
import { spendingQueries } from '../store/budget-queries.ts';
import { pages } from '../store/pages.ts';
import { recordQueries } from '../store/queries.ts';
import { isReadable, type Stored } from '../store/store.ts';
import type { PollRun } from './poll-run.ts';

/** What a poll does about budgets: it sums what was spent, cancels, and releases the jobs of budgets that hold no longer. */

const PAGE = 100;
const WRITERS = 16;

/** The most jobs that a run releases for a budget: if it holds again soon, few have been moved back and forth. */
const MAX_RELEASED = 1000;

/** A budget's trouble must not stop a poll: it is logged, and the next poll tries again. */
export async function enforceBudgets(run: PollRun): Promise<void> {
  try {
    const { budgets } = await run.gate.budgets.refresh();
    for (const figures of budgets.filter(({ cancels }) => cancels)) {
      await cancelCovered(run, figures).catch((error: unknown) =>
        run.log.error('budget.not_enforced', error, { budgetId: figures.id }),
      );
    }
    await releaseAll(run, new Set(budgets.filter(({ holds }) => holds).map(({ id }) => id)));
  } catch (error) {
    run.log.error('budget.not_enforced', error);
  }
}

/** Cancels the operations of the jobs that a budget covers. */
async function cancelCovered(run: PollRun, { id, match }: BudgetFigures): Promise<void> {
  const reason = {
    status: 'BUDGET',
    message: `Canceled because the budget ${id} is used up.`,
  } as const;
  for await (const page of pages(run.store.records, spendingQueries.active(match), PAGE)) {
    if (run.isOver('due')) {
      return;
    }
    const running = page.filter(isReadable).filter(({ value }) => value.cancelRequestedAt === undefined);
    const requested = await pMap(
      running,
      (stored) => isolated(run, stored, () => requestCancelling(run, stored, run.clock.now(), reason)),
      { concurrency: WRITERS },
    );
    const cancelled = requested.filter((stored) => stored !== undefined).filter(isToCancelAtEarthEngine);
    if (cancelled.length > 0) {
      const asked = await cancelOperations(run, cancelled, run.ends.due);
      run.log.warning('budget.cancelled', { budgetId: id, operations: asked });
    }
  }
}

/** Puts jobs back into the queue whose budget does not hold anymore, or no longer exists. */
async function releaseAll(run: PollRun, holding: ReadonlySet<string>): Promise<void> {
  let after: readonly unknown[] | undefined;
  while (!run.isOver('due')) {
    // One read for each budget that holds jobs.
    const page = { limit: 1, ...(after ? { after } : {}) };
    const [found] = await run.store.records.find(recordQueries.heldByBudget(), page);
    if (found === undefined) {
      return;
    }
    const budgetId = isReadable(found) ? heldBy(found.value) : found.fields['heldBy'];
    if (typeof budgetId === 'string' && !holding.has(budgetId)) {
      await releaseHeldBy(run, budgetId);
    }
    after = [budgetId];
  }
}

const heldBy = (record: ExportRecord): string | undefined =>
  record.state === 'WAITING' ? record.heldBy : undefined;

async function releaseHeldBy(run: PollRun, budgetId: string): Promise<void> {
  let released = 0;
  for await (const page of pages(run.store.records, recordQueries.heldBy(budgetId), PAGE)) {
    await pMap(page.filter(isReadable), (stored) => releaseOne(run, stored, budgetId), {
      concurrency: WRITERS,
    });
    released += page.length;
    if (released >= MAX_RELEASED || run.isOver('due')) {
      break;
    }
  }
  run.log.info('budget.released', { budgetId, jobs: released });
}

const releaseOne = (run: PollRun, stored: Stored<ExportRecord>, budgetId: string) =>
  isolated(run, stored, () =>
    updateRecord(run, stored, (record) =>
      record.state === 'WAITING' && record.heldBy === budgetId
        ? releaseHeld(record, run.clock.now())
        : undefined,
    ),
  );

/** One record's trouble must not stop the others. */
async function isolated<R>(
  run: PollRun,
  { id }: Stored<ExportRecord>,
  work: () => Promise<R>,
): Promise<R | undefined> {
  try {
    return await work();
  } catch (error) {
    run.summary.failed += 1;
    run.log.error('record.failed', error, { recordId: id });
    return undefined;
  }
}
