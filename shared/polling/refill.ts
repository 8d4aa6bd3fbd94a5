import pMap from 'p-map';

import { later, MINUTE_MS, SECOND_MS } from '../clock.ts';
import { recordQueries } from '../store/queries.ts';
import { createListings } from '../submission/listings.ts';
import { createUnfinishedLists } from '../submission/unfinished-lists.ts';
import { feedQueue, type Fed } from './feed.ts';
import type { PollRun } from './poll-run.ts';
import { sweepProject } from './sweep-project.ts';

/**
 * Keeps Earth Engine's queue from running dry between two runs. Usually it lasts for hours, and this does nothing. If
 * operations start so fast that it would not last until the next run, this run goes on until then: it sweeps, and feeds
 * the queue again, as soon as half of it is gone.
 */

/** Cloud Scheduler starts a run each minute. Local stacks do so more often, and have a shorter POLL_MIN_SECONDS. */
const intervalOf = ({ config }: PollRun): number => Math.min(MINUTE_MS, config.pollMinMs);
/** The part of the interval after which this run makes room for the next one. */
const REFILL_SHARE = 11 / 12;
/** A queue that lasts for so many intervals is left to the next run, which also takes some time until it feeds. */
const LASTS_INTERVALS = 2;
/** Until it is known how fast operations start. */
const FIRST_PAUSE_MS = 10 * SECOND_MS;
/** A sweep takes seconds, and an export at least as long, so looking more often would find little. */
const SHORTEST_PAUSE_MS = 5 * SECOND_MS;

/** When the next run should find this one ended. */
export const endOfInterval = (run: PollRun): Date => later(run.startedAt, intervalOf(run) * REFILL_SHARE);

/** When refilling must end. The run of one project can end earlier than the interval, because it must end before its lease. */
const endOfRefill = (run: PollRun): Date => {
  const interval = endOfInterval(run);
  return interval < run.ends.run ? interval : run.ends.run;
};

/** @param fed what this run sent to each project */
export async function refillQueues(run: PollRun, fed: ReadonlyMap<string, Fed>): Promise<void> {
  await pMap(fed, async ([project, first]) => {
    try {
      await refillQueue(run, project, first);
    } catch (error) {
      run.summary.failed += 1;
      run.log.error('project.failed', error, { project });
    }
  });
}

async function refillQueue(run: PollRun, project: string, first: Fed): Promise<void> {
  const { clock, stopping } = run;
  const intervalMs = intervalOf(run);
  const end = endOfRefill(run);
  let fed = first;
  while (fed.isWaiting && !run.isOver()) {
    const known = run.feeds.get(project);
    const elapsedMs = Math.min(intervalMs, fed.at.getTime() - (known?.at.getTime() ?? 0));
    // A sweep may see a few operations late, so a rate does not drop at once.
    const startedPerMs = Math.max(fed.freed / elapsedMs, (known?.startedPerMs ?? 0) / 2);
    run.feeds.set(project, { at: fed.at, startedPerMs });
    const lastsMs = await lastsFor(run, project, startedPerMs, fed.at);
    const longestMs = known ? Infinity : FIRST_PAUSE_MS;
    const pauseMs = Math.max(SHORTEST_PAUSE_MS, Math.min(longestMs, lastsMs / 2));
    if (lastsMs >= intervalMs * LASTS_INTERVALS || later(clock.now(), pauseMs) >= end) {
      return;
    }
    await clock.sleep(pauseMs, stopping).catch(() => undefined);
    const round = {
      ...run,
      startedAt: clock.now(),
      listings: createListings(run, createUnfinishedLists(run)),
      // The next run must find this one ended.
      isOver: () => run.isOver() || clock.now() >= end,
    };
    await sweepProject(round, project);
    fed = await feedQueue(round, project);
    if (!fed.isWaiting && round.isOver()) {
      // Cut short: the next run counts what was freed since then.
      run.feeds.set(project, { at: fed.at, startedPerMs });
    }
  }
}

/** How long the operations that wait at Earth Engine last. @param sweptAt when the records were current */
async function lastsFor(
  { clock, store }: PollRun,
  project: string,
  startedPerMs: number,
  sweptAt: Date,
): Promise<number> {
  const pending = await store.records.count(recordQueries.pending(project));
  // Feeding a long queue takes half a minute, in which operations start that the records still show as pending.
  const sinceMs = clock.now().getTime() - sweptAt.getTime();
  return startedPerMs > 0 ? Math.max(0, pending / startedPerMs - sinceMs) : Infinity;
}
