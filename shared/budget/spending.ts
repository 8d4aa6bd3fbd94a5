import { DAY_MS, later } from '../clock.ts';
import type { Budget, BudgetFigures, BudgetMatch } from '../model/budget.ts';
import type { Policy } from '../record/policy.ts';
import type { Services } from '../services.ts';
import { spendingQueries } from '../store/budget-queries.ts';
import { recordQueries } from '../store/queries.ts';
import { isReadable } from '../store/store.ts';
import type { Spending } from './figures.ts';
import { periodOf } from './period.ts';

/**
 * What was spent of a budget, summed from the records by the database. Nothing is counted up, so nothing can drift.
 *
 * Records expire, and a `TOTAL` budget must not forget what they cost. So what old records cost is summed into `settled`
 * before they can expire, up to a time before which no other record can end anymore. One conditional write stores the new
 * sum together with its new end: after a crash there is the old pair or the new one, and each record belongs to one side.
 */

type SpendingServices = Pick<Services, 'store' | 'policy' | 'log'>;

/** Settling takes a few reads, and nothing is urgent about it. */
const SETTLE_EVERY_MS = DAY_MS;

/**
 * How long a job that ended may stay unrecorded while its record has no operation: until its outcome is known or given up
 * (`SUBMIT_DEADLINE_HOURS`), and as long as Earth Engine lets a task run.
 */
const MAX_TASK_MS = 10 * DAY_MS;
const MARGIN_MS = DAY_MS;

async function sumOf(
  { store }: SpendingServices,
  query: ReturnType<typeof spendingQueries.active>,
): Promise<number> {
  const sum = await store.records.sum(query, 'eecuSeconds');
  if (!Number.isFinite(sum)) {
    throw new Error('The costs of its jobs have no finite sum. Correct eecuSeconds of these records.');
  }
  return sum;
}

export async function spendingOf(
  services: SpendingServices,
  id: string,
  budget: Budget,
  previous: BudgetFigures['settled'],
  now: Date,
): Promise<Spending> {
  const { match, period } = budget;
  const active = sumOf(services, spendingQueries.active(match));
  // Otherwise, a failure of the other sum would leave this one's unhandled.
  active.catch(() => undefined);
  if (period === 'MONTH') {
    const ended = sumOf(services, spendingQueries.endedIn(match, periodOf(budget, now).startsAt));
    return { ended: await ended, active: await active };
  }
  const settled = await settle(services, id, match, previous, now);
  const since = await sumOf(services, spendingQueries.endedIn(match, settled.until));
  return { ended: settled.eecuSeconds + since, active: await active, settled };
}

async function settle(
  services: SpendingServices,
  id: string,
  match: BudgetMatch,
  previous: BudgetFigures['settled'],
  now: Date,
): Promise<NonNullable<BudgetFigures['settled']>> {
  const { policy, log } = services;
  const key = JSON.stringify([match.project, match.batchIdPrefix, match.label?.key, match.label?.value]);
  const known = previous?.match === key ? previous : { match: key, until: new Date(0), eecuSeconds: 0 };
  const latest = latestSettlement(policy, now);
  if (latest.getTime() - known.until.getTime() < SETTLE_EVERY_MS) {
    return known;
  }
  const until = await boundedByActive(services, latest);
  if (until <= known.until) {
    return known;
  }
  if (known.until.getTime() > 0 && later(known.until, policy.retentionMs) < now) {
    log.warning('budget.records_expired', { budgetId: id, since: known.until.toISOString() });
  }
  const more = await sumOf(services, spendingQueries.endedIn(match, known.until, until));
  return { match: key, until, eecuSeconds: known.eecuSeconds + more };
}

/** The latest time before which every job that ended is recorded, unless its record is active; and no record has expired. */
function latestSettlement({ submitDeadlineMs, retentionMs }: Policy, now: Date): Date {
  const recordedWithinMs = submitDeadlineMs + MAX_TASK_MS + MARGIN_MS;
  return later(now, -Math.min(recordedWithinMs, retentionMs - 3 * DAY_MS));
}

/** An active record's operation ran when it last moved, so it has not ended earlier. */
async function boundedByActive({ store }: SpendingServices, latest: Date): Promise<Date> {
  const [oldest] = await store.records.find(recordQueries.leastRecentlyMoved(), { limit: 1 });
  if (oldest === undefined || !isReadable(oldest) || !('movedAt' in oldest.value)) {
    return latest;
  }
  const bound = later(oldest.value.movedAt, -MARGIN_MS);
  return bound < latest ? bound : latest;
}
