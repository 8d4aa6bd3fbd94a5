import type { PollRun } from './poll-run.ts';

/**
 * Which projects fail in this run. Their other records then wait for the next run, so that other projects are not delayed.
 *
 * Failures that take time end a project's turn soon. A quick one may be the record's own: then the records behind it must
 * get their turn. Due records and the queue are counted separately: due records that always fail must not stop the queue.
 */
export type ProjectFailures = Map<string, FailuresInARow>;

interface FailuresInARow {
  readonly count: number;
  /** The time that they took together, although they may have run at the same time. */
  readonly tookMs: number;
}

export type Purpose = 'due' | 'feed';

/**
 * Quick failures in a row. A due record that fails is deferred for up to RETRY_MAX_SECONDS, so the limit decides how many
 * failing records can be due over and over without delaying those behind them: 50 a minute, or 750 by default. Each
 * queued record that fails becomes a due one.
 */
const MAX_IN_A_ROW: Readonly<Record<Purpose, number>> = { due: 50, feed: 20 };

/** The part of a run's budget that failures may take: with the concurrency of a run, a few seconds, or one time-out. */
const MAX_SHARE = 1 / 4;

type FailingRun = Pick<PollRun, 'failures' | 'clock' | 'config'>;

const keyOf = (project: string, purpose: Purpose): string => `${purpose} ${project}`;

/** Notes a failure of work that began at `startedAt`. */
export function noteFailure(
  { failures, clock }: FailingRun,
  project: string,
  purpose: Purpose,
  startedAt: Date,
): void {
  const key = keyOf(project, purpose);
  const { count, tookMs } = failures.get(key) ?? { count: 0, tookMs: 0 };
  failures.set(key, {
    count: count + 1,
    tookMs: tookMs + clock.now().getTime() - startedAt.getTime(),
  });
}

export function noteSuccess({ failures }: FailingRun, project: string, purpose: Purpose): void {
  failures.delete(keyOf(project, purpose));
}

export function isFailing({ failures, config }: FailingRun, project: string, purpose: Purpose): boolean {
  const row = failures.get(keyOf(project, purpose));
  return (
    row !== undefined && (row.count >= MAX_IN_A_ROW[purpose] || row.tookMs >= config.pollBudgetMs * MAX_SHARE)
  );
}
