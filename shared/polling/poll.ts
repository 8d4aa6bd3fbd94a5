import pMap from 'p-map';

import { finishBatches } from '../batch/finish-batches.ts';
import { cancelLateArrivals } from '../cancellation/cancel-batch.ts';
import { verifyDeliveries } from '../delivery/verify.ts';
import { later, SECOND_MS } from '../clock.ts';
import type { EarthEngine } from '../earth-engine/api.ts';
import { flushEvents } from '../records.ts';
import type { Services } from '../services.ts';
import { recordQueries } from '../store/queries.ts';
import { pages } from '../store/pages.ts';
import { isReadable } from '../store/store.ts';
import type { Gate } from '../submission/gate.ts';
import { createListings } from '../submission/listings.ts';
import { createUnfinishedLists } from '../submission/unfinished-lists.ts';
import { enforceBudgets } from './budgets.ts';
import { dueOperations, dueWaiting, eachDue, overdueClaims } from './due.ts';
import { type Fed, feedQueue } from './feed.ts';
import { paced } from './paced.ts';
import { partsOf, type PollRun, type PollSummary, type RunParts } from './poll-run.ts';
import { endUnusedProbes } from './project-gate.ts';
import { refillQueues } from './refill.ts';
import { cancelRunaways } from './runaways.ts';
import { sweepProject } from './sweep-project.ts';

/** One run of the poller: records what changed at Earth Engine, works on due records, and feeds the queues. */

const PAGE = 100;
const PROJECTS_AT_ONCE = 8;

export async function pollExports(services: Services, gate: Gate): Promise<PollSummary> {
  const { clock, config, log, store, stopping } = services;
  const startedAt = clock.now();
  const summary: PollSummary = {
    due: 0,
    changed: 0,
    submitted: 0,
    waiting: 0,
    rejected: 0,
    lost: 0,
    failed: 0,
    remaining: 0,
    calls: {
      export: 0,
      list: 0,
      get: 0,
    },
    seconds: 0,
  };
  const ends = partsOf(startedAt, config.pollBudgetMs);
  const earthEngine = counting(paced(services, gate), summary);
  const counted: Services = { ...services, earthEngine };
  const run: PollRun = {
    ...counted,
    gate,
    listings: createListings(counted, createUnfinishedLists(counted)),
    summary,
    startedAt,
    ends,
    gates: new Map(),
    failures: new Map(),
    hasDeliveries: false,
    feeds: feedsOf(gate),
    isOver: (part = 'run') => stopping.aborted || clock.now() >= ends[part],
  };

  // Independent queries run together: most runs find nothing and take as long as their queries.
  const projects = projectsInUse(run).then((found) => inTurns(run, found));
  const [overdue] = await Promise.all([
    eachDue(run, overdueClaims, projects),
    // At the same time: a search for a claim's operation may read a slow list.
    projects.then((found) => eachProject(run, found, 'sweeps', sweepProject)),
  ]);
  // After the sweeps, which show what was spent, and before anything is sent.
  await Promise.all([
    enforceBudgets(run),
    cancelRunaways(run).catch((error: unknown) => log.error('runaways.failed', error)),
  ]);
  const [waitingLeft, operationsLeft] = await Promise.all([
    eachDue(run, dueWaiting, projects),
    eachDue(run, dueOperations, projects),
    // Before the queues are fed: a record that will be canceled must not be sent first.
    cancelLateArrivals(run, ends.due),
  ]);
  await run.listings.keepUnfinished();
  const fed = new Map<string, Fed>();
  await eachProject(run, await projects, 'run', async (_run, project) => {
    fed.set(project, await feedQueue(run, project));
  });
  await run.listings.keepUnfinished();
  await endUnusedProbes(run);
  await Promise.all([
    flushPendingEvents(run),
    // Before the batches are finished, because their events count the deliveries. Its own calls and time are bounded.
    run.hasDeliveries ? verifyDeliveries(run, () => run.isOver()) : undefined,
  ]);
  // These are only a few counts, so they run even if the queues took all the time: a batch must not wait for a quiet hour.
  await finishBatches(run, later(ends.run, 10 * SECOND_MS));
  await refillQueues(run, fed);
  await gate.shareAllPaces();

  const [waiting, ...due] = await Promise.all([
    store.records.count(recordQueries.waiting()),
    ...[overdue, waitingLeft, operationsLeft]
      .flat()
      .map(({ query }) => store.records.count(query(clock.now()))),
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

const feedsByGate = new WeakMap<Gate, PollRun['feeds']>();

/** What earlier runs of this process know about the queues. */
function feedsOf(gate: Gate): PollRun['feeds'] {
  const feeds = feedsByGate.get(gate) ?? new Map<string, { at: Date; startedPerMs: number }>();
  feedsByGate.set(gate, feeds);
  return feeds;
}

/** The projects of all records that are not final, with one read each. */
async function projectsInUse({ store }: PollRun): Promise<string[]> {
  const projects: string[] = [];
  let after: readonly unknown[] | undefined;
  for (;;) {
    const page = { limit: 1, ...(after ? { after } : {}) };
    const [found] = await store.records.find(recordQueries.unfinishedByProject(), page);
    if (found === undefined) {
      return projects;
    }
    const project: unknown = isReadable(found) ? found.value.project : found.fields['project'];
    if (typeof project === 'string' && project !== '') {
      projects.push(project);
    }
    // Whatever value an unreadable record has here, the other projects come after it.
    after = [project];
  }
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

/** With more projects than are worked on at once, each run starts with another one, so that the slowest is not always first. */
function inTurns({ random }: PollRun, projects: readonly string[]): readonly string[] {
  if (projects.length <= PROJECTS_AT_ONCE) {
    return projects;
  }
  const first = Math.floor(random() * projects.length);
  return [...projects.slice(first), ...projects.slice(0, first)];
}

/** Works on each project until that part of the run is over. If one fails, the others go on. */
async function eachProject(
  run: PollRun,
  projects: readonly string[],
  part: keyof RunParts,
  work: (run: PollRun, project: string) => Promise<void>,
): Promise<void> {
  const isolated = async (project: string): Promise<void> => {
    if (run.isOver(part)) {
      return;
    }
    try {
      await work(run, project);
    } catch (error) {
      run.summary.failed += 1;
      run.log.error('project.failed', error, { project });
    }
  };
  await pMap(projects, isolated, { concurrency: PROJECTS_AT_ONCE });
}

async function oldestWaitingSeconds({ store, clock }: PollRun): Promise<number> {
  const [oldest] = await store.records.find(recordQueries.waitingUnheld(), { limit: 1 });
  return oldest && isReadable(oldest)
    ? Math.round((clock.now().getTime() - oldest.value.createdAt.getTime()) / SECOND_MS)
    : 0;
}

function counting(earthEngine: EarthEngine, { calls }: PollSummary): EarthEngine {
  return {
    startExport: (...call) => {
      calls.export += 1;
      return earthEngine.startExport(...call);
    },
    getOperation: (...call) => {
      calls.get += 1;
      return earthEngine.getOperation(...call);
    },
    listOperations: (...call) => {
      calls.list += 1;
      return earthEngine.listOperations(...call);
    },
    cancelOperation: (...call) => earthEngine.cancelOperation(...call),
    serviceAccount: () => earthEngine.serviceAccount(),
  };
}
