import { DAY_MS, later } from '../clock.ts';
import type { Extent } from '../model/delivery.ts';
import type { Services } from '../services.ts';
import { spendingQueries } from '../store/budget-queries.ts';
import { recordQueries } from '../store/queries.ts';
import { isReadable } from '../store/store.ts';
import { estimate, type Estimate, type PastJob } from './estimate.ts';

/** Reads what jobs of the same shape have cost, and how fast a project renders. */

/** Only the newest jobs are read. More would not make the range narrower, and each costs a read. */
const MAX_JOBS = 300;

type HistoryServices = Pick<Services, 'store' | 'clock'>;

/** Jobs of one shape that may start. */
export interface PlannedJobs {
  readonly project: string;
  readonly shapeHash: string;
  readonly count: number;
  /** The extent of each job, or of each job of a sample. */
  readonly extents: readonly (Extent | undefined)[];
}

export interface TimedEstimate extends Estimate {
  /** For one job, how long it renders; for several, how long all of them take at the project's current pace. */
  readonly durationMs: number | undefined;
}

/** What jobs will cost; undefined if nothing similar has run. */
export type Estimator = (jobs: PlannedJobs) => Promise<TimedEstimate | undefined>;

/** Reads at most 300 records of each shape, once, and makes two sums for each estimate of several jobs. */
export function createEstimator(services: HistoryServices): Estimator {
  const histories = new Map<string, Promise<PastJob[]>>();
  return async ({ project, shapeHash, count, extents }) => {
    const reading = histories.get(shapeHash) ?? readHistory(services, shapeHash);
    histories.set(shapeHash, reading);
    const found = estimate(await reading, extents, count);
    if (!found || count === 1) {
      return found && { ...found, durationMs: found.renderedMs };
    }
    const pace = await eecuSecondsADay(services, project);
    // The pace of a project that was idle is low, but jobs take at most as long as one after another.
    const durationMs = Math.min((found.median / pace) * DAY_MS, (found.renderedMs ?? Infinity) * count);
    return { ...found, durationMs: Number.isFinite(durationMs) ? durationMs : undefined };
  };
}

async function readHistory({ store }: HistoryServices, shapeHash: string): Promise<PastJob[]> {
  const newest = await store.records.find(recordQueries.succeededOfShape(shapeHash), { limit: MAX_JOBS });
  const jobs = newest.filter(isReadable).flatMap(({ value }): PastJob[] => {
    if (value.state !== 'SUCCEEDED' || value.eecuSeconds === undefined || value.eecuIsLowerBound) {
      return [];
    }
    const { eecuSeconds, extent, startedAt, finishedAt } = value;
    const renderedMs = startedAt && finishedAt.getTime() - startedAt.getTime();
    return [{ eecuSeconds, extent, renderedMs }];
  });
  return jobs.reverse();
}

/** What jobs cost that ended in the last day, or the daily average of the last week if that is nothing. */
async function eecuSecondsADay({ store, clock }: HistoryServices, project: string): Promise<number> {
  for (const days of [1, 7]) {
    const since = later(clock.now(), -days * DAY_MS);
    const spent = await store.records.sum(spendingQueries.endedIn({ project }, since), 'eecuSeconds');
    if (spent > 0) {
      return spent / days;
    }
  }
  return 0;
}
