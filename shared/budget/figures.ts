import type { Budget, BudgetEvent, BudgetFigures, BudgetMatch, BudgetThreshold } from '../model/budget.ts';
import { periodOf } from './period.ts';

/** What a budget's figures mean: pure functions, without the database. */

const HOUR_SECONDS = 3600;

/** The fields of a job by which a budget covers it. */
export interface CoveredJob {
  readonly project: string;
  readonly batchId?: string | undefined;
  readonly labels: Readonly<Record<string, string>>;
}

export function covers({ project, batchIdPrefix, label }: BudgetMatch, job: CoveredJob): boolean {
  return (
    (project === undefined || job.project === project) &&
    (batchIdPrefix === undefined || job.batchId?.startsWith(batchIdPrefix) === true) &&
    (label === undefined || (Object.hasOwn(job.labels, label.key) && job.labels[label.key] === label.value))
  );
}

/** What the database summed. */
export interface Spending {
  /** What jobs that ended in the period have cost. */
  readonly ended: number;
  /** What jobs at Earth Engine have cost so far. */
  readonly active: number;
  readonly settled?: BudgetFigures['settled'];
}

const isReached = ({ percent }: BudgetThreshold, spentEecuSeconds: number, limitEecuHours: number): boolean =>
  spentEecuSeconds >= (limitEecuHours * HOUR_SECONDS * percent) / 100;

/**
 * A budget's figures, and the events of thresholds that are newly reached. Each is reported once in a period, and again
 * only if the limit was changed.
 *
 * @param previous its figures before
 */
export function figuresOf(
  id: string,
  budget: Budget,
  { ended, active, settled }: Spending,
  previous: BudgetFigures | undefined,
  now: Date,
): { readonly figures: BudgetFigures; readonly events: BudgetEvent[] } {
  const { match, limitEecuHours, thresholds, strict = false } = budget;
  const { name: period, endsAt } = periodOf(budget, now);
  const spentEecuSeconds = ended + active;
  const isSame = previous?.period === period && previous.limitEecuHours === limitEecuHours;
  const told = isSame ? previous.told : [];
  const reached = thresholds.filter((threshold) => isReached(threshold, spentEecuSeconds, limitEecuHours));
  const untold = reached.filter(
    ({ percent, action }) => !told.some((one) => one.percent === percent && one.action === action),
  );
  const events = untold.map(({ percent, action }) => ({
    budgetId: id,
    period,
    percent,
    action,
    spentEecuSeconds,
    limitEecuHours,
    at: now,
  }));
  const figures: BudgetFigures = {
    id,
    match,
    period,
    endsAt,
    limitEecuHours,
    spentEecuSeconds,
    runningEecuSeconds: active,
    strict,
    holds: reached.some(({ action }) => action !== 'NOTIFY'),
    cancels: reached.some(({ action }) => action === 'CANCEL'),
    told: [...told, ...untold.map(({ percent, action }) => ({ percent, action, at: now }))],
    settled,
  };
  return { figures, events };
}

/** The figures of a budget that cannot be read or summed: it holds its jobs only if it is strict. */
export function unknownFigures(
  id: string,
  { match, strict }: Pick<BudgetFigures, 'match' | 'strict'>,
  problem: string,
  previous: BudgetFigures | undefined,
): BudgetFigures {
  const { period, limitEecuHours, told = [], settled } = previous ?? {};
  return {
    id,
    match,
    period,
    limitEecuHours,
    strict,
    holds: strict,
    cancels: false,
    problem,
    told,
    settled,
  };
}

/** An event's ID: the same for every delivery of it. */
export const budgetEventId = ({ budgetId, period, limitEecuHours, percent, action }: BudgetEvent): string =>
  `budget:${budgetId}:${period}:${limitEecuHours}:${percent}:${action}`;
