import { finishBatches } from '../batch/finish-batches.ts';
import { cancelLateArrivals } from '../cancellation/cancel-batch.ts';
import { verifyDeliveries } from '../delivery/verify.ts';
import { later, SECOND_MS } from '../clock.ts';
import { flushEvents } from '../records.ts';
import type { Services } from '../services.ts';
import { recordQueries } from '../store/queries.ts';
import { pages } from '../store/pages.ts';
import { isReadable } from '../store/store.ts';
import type { Gate } from '../submission/gate.ts';
import { beginRun } from './begin-run.ts';
import { enforceBudgets } from './budgets.ts';
import { type DueKind, dueOperations, dueWaiting, eachDue, overdueClaims } from './due.ts';
import { fanOut } from './fan-out.ts';
import { type Fed, feedQueues } from './feed.ts';
import type { PollRun, PollSummary } from './poll-run.ts';
import { eachProject, inTurns, PROJECTS_AT_ONCE, projectsInUse } from './projects.ts';
import { endOfInterval, refillQueues } from './refill.ts';
import { cancelRunaways } from './runaways.ts';
import { sweepProject } from './sweep-project.ts';

/** One run of the poller: records what changed at Earth Engine, works on due records, and feeds the queues. */

const PAGE = 100;
/** Even if the rest of the run took a minute. */
const SHORTEST_VERIFICATION_MS = 20 * SECOND_MS;

export async function pollExports(services: Services, gate: Gate): Promise<PollSummary> {
  const { clock, log, store } = services;
  const run = beginRun(services, gate, services.config.pollBudgetMs);
  const { summary, startedAt, ends } = run;
  const projects = await projectsInUse(run);
  // Beyond a handful of projects, each has a run of its own, in any instance. If that fails, this one works on all of them.
  const isFannedOut = projects.length > PROJECTS_AT_ONCE && (await fanOut(run, projects));
  const { left, fed } = isFannedOut
    ? { left: [], fed: new Map<string, Fed>() }
    : await workOn(run, inTurns(run, projects));
  if (isFannedOut) {
    await enforceLimits(run);
    await cancelLateArrivals(run, ends.due);
  }
  await Promise.all([
    finish(run, run.hasDeliveries || isFannedOut),
    // At the same time: looking for thousands of videos takes longer than Earth Engine's queue may last.
    refillQueues(run, fed),
  ]);
  await gate.shareAllPaces();

  const [waiting, ...due] = await Promise.all([
    store.records.count(recordQueries.waiting()),
    ...left.map(({ query }) => store.records.count(query(clock.now()))),
  ]);
  summary.waiting = waiting;
  summary.remaining = due.reduce((sum, count) => sum + count, 0);
  summary.seconds = (clock.now().getTime() - startedAt.getTime()) / SECOND_MS;
  log.info('poll.finished', {
    ...summary,
    oldestWaitingSeconds: waiting > 0 ? await oldestWaitingSeconds(run) : 0,
  });
  return summary;
}

/** What follows from the records that changed. */
async function finish(run: PollRun, hasDeliveries: boolean): Promise<void> {
  // The next run sweeps and feeds again, and then goes on with the videos.
  const least = later(run.clock.now(), SHORTEST_VERIFICATION_MS);
  const interval = endOfInterval(run);
  const end = least > interval ? least : interval;
  await Promise.all([
    flushPendingEvents(run),
    // Before the batches are finished, because their events count the deliveries. Its own calls and time are bounded.
    hasDeliveries ? verifyDeliveries(run, () => run.isOver() || run.clock.now() >= end) : undefined,
  ]);
  // These are only a few counts, so they run even if the queues took all the time: a batch must not wait for a quiet hour.
  await finishBatches(run, later(run.ends.run, 10 * SECOND_MS));
}

/** Works on the records of all projects; returns the kinds of due records of which some may be left. */
async function workOn(
  run: PollRun,
  projects: readonly string[],
): Promise<{ readonly left: readonly DueKind[]; readonly fed: ReadonlyMap<string, Fed> }> {
  const known = Promise.resolve(projects);
  const [overdue] = await Promise.all([
    eachDue(run, overdueClaims, known),
    // At the same time: a search for a claim's operation may read a slow list.
    eachProject(run, projects, 'sweeps', sweepProject),
  ]);
  // After the sweeps, which show what was spent, and before anything is sent.
  await enforceLimits(run);
  const [waiting, operations] = await Promise.all([
    eachDue(run, dueWaiting, known),
    eachDue(run, dueOperations, known),
    // Before the queues are fed: a record that will be canceled must not be sent first.
    cancelLateArrivals(run, run.ends.due),
  ]);
  await run.listings.keepUnfinished();
  const fed = await feedQueues(run, projects);
  return { left: [overdue, waiting, operations].flat(), fed };
}

async function enforceLimits(run: PollRun): Promise<void> {
  await Promise.all([
    enforceBudgets(run),
    cancelRunaways(run).catch((error: unknown) => run.log.error('runaways.failed', error)),
  ]);
}

/** Publishes pending events, a page at a time, until the topic accepts none. */
async function flushPendingEvents(run: PollRun): Promise<void> {
  if (run.isOver()) {
    return;
  }
  for await (const page of pages(run.store.records, recordQueries.pendingEvents(), PAGE)) {
    // A page that fails because of its own events must not hold up later pages.
    const { isTopicDown } = await flushEvents(run, page.filter(isReadable));
    if (isTopicDown || run.isOver()) {
      return;
    }
  }
}

async function oldestWaitingSeconds({ store, clock }: PollRun): Promise<number> {
  const [oldest] = await store.records.find(recordQueries.waiting(), { limit: 1 });
  return oldest && isReadable(oldest)
    ? Math.round((clock.now().getTime() - oldest.value.createdAt.getTime()) / SECOND_MS)
    : 0;
}
