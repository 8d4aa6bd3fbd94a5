import pMap from 'p-map';

import { finishBatches } from '../batch/finish-batches.ts';
import { cancelLateArrivals } from '../cancellation/cancel-batch.ts';
import { later, SECOND_MS } from '../clock.ts';
import type { EarthEngine } from '../earth-engine/api.ts';
import type { ExportRecord } from '../model/record.ts';
import { flushEvents } from '../records.ts';
import type { Services } from '../services.ts';
import { type Query, recordQueries } from '../store/queries.ts';
import { pages } from '../store/pages.ts';
import { type Found, isReadable, type Stored } from '../store/store.ts';
import { feedQueue, resumeThroughGate } from './feed.ts';
import { followOperation } from './follow.ts';
import type { Gate } from '../submission/gate.ts';
import { createListings } from '../submission/listing.ts';
import { resume } from './resume.ts';
import { countOutcome, isProjectFailing, type PollSummary, type PollRun } from './poll-run.ts';
import { recordFailed } from './defer.ts';
import { sweepProject } from './sweep-project.ts';

/** One run of the poller: records what changed at Earth Engine, works on due records, and feeds the queues. */

const PAGE = 100;
/** Records in progress at once: enough to hide Earth Engine's latency, few enough for its 100 requests a second. */
const CONCURRENCY = 16;
const PROJECTS_AT_ONCE = 4;

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
  const deadline = later(startedAt, config.pollBudgetMs);
  const counted: Services = { ...services, earthEngine: counting(services.earthEngine, summary) };
  const run: PollRun = {
    ...counted,
    gate,
    listings: createListings(counted),
    summary,
    startedAt,
    deadline,
    gates: new Map(),
    projectFailures: new Map(),
    isOver: () => stopping.aborted || clock.now() >= deadline,
  };

  // Independent queries run together: most runs find nothing and take as long as their queries.
  const [projects, overdue] = await Promise.all([
    projectsInUse(run),
    // Claims that ran out come first: nothing else may delay them beyond a lease and a poll (rule 14).
    eachDue(run, recordQueries.overdueSubmitting, resumeOne),
  ]);
  await pMap(projects, (project) => isolated(run, project, () => sweepProject(run, project)), {
    concurrency: PROJECTS_AT_ONCE,
  });
  const [dueWaiting, dueOperations] = await Promise.all([
    eachDue(run, recordQueries.dueWaiting, resumeThroughGate),
    eachDue(run, recordQueries.dueOperations, followOperation),
    // Before the queues are fed: a record that will be canceled must not be sent first.
    cancelLateArrivals(run, later(clock.now(), (deadline.getTime() - clock.now().getTime()) / 2)),
  ]);
  await pMap(projects, (project) => isolated(run, project, () => feedQueue(run, project)), {
    concurrency: PROJECTS_AT_ONCE,
  });
  await Promise.all([
    flushPendingEvents(run),
    // These are only a few counts, so they run even if the queues took all the time: a batch must not wait for a quiet
    // hour.
    finishBatches(run, later(deadline, 10 * SECOND_MS)),
  ]);

  const [waiting, ...due] = await Promise.all([
    store.records.count(recordQueries.waiting()),
    ...[overdue, dueWaiting, dueOperations].flat().map((query) => store.records.count(query(clock.now()))),
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

type DueQuery = (now: Date) => Query;

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

/**
 * Works on every due record, page by page, until none is left or the run's time is over.
 *
 * @returns the query if records may be left: an idle run counts nothing
 */
async function eachDue(
  run: PollRun,
  query: DueQuery,
  work: (run: PollRun, stored: Stored<ExportRecord>) => Promise<void>,
): Promise<DueQuery[]> {
  if (run.isOver()) {
    return [query];
  }
  let foundAny = false;
  for await (const page of pages(run.store.records, query(run.startedAt), PAGE)) {
    foundAny = true;
    await pMap(page, (found) => eachOne(run, found, work), { concurrency: CONCURRENCY });
    if (run.isOver()) {
      break;
    }
  }
  return foundAny ? [query] : [];
}

/** Works on one record. If that fails, the record is deferred and the run goes on. */
async function eachOne(
  run: PollRun,
  found: Found<ExportRecord>,
  work: (run: PollRun, stored: Stored<ExportRecord>) => Promise<void>,
): Promise<void> {
  if (run.isOver()) {
    return;
  }
  run.summary.due += 1;
  try {
    if (!isReadable(found)) {
      throw found.unreadable;
    }
    if (!isProjectFailing(run, found.value.project)) {
      await work(run, found);
    }
  } catch (thrown) {
    await recordFailed(run, found, thrown);
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

async function isolated(run: PollRun, project: string, work: () => Promise<void>): Promise<void> {
  if (run.isOver()) {
    return;
  }
  try {
    await work();
  } catch (error) {
    run.summary.failed += 1;
    run.log.error('project.failed', error, { project });
  }
}

async function resumeOne(run: PollRun, stored: Stored<ExportRecord>): Promise<void> {
  const sent = await resume(run, stored);
  countOutcome(run, sent.stored, sent.sendOutcome);
}

async function oldestWaitingSeconds({ store, clock }: PollRun): Promise<number> {
  const [oldest] = await store.records.find(recordQueries.waiting(), { limit: 1 });
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
