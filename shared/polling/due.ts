import pMap from 'p-map';

import { type ExportRecord, otherReasons } from '../model/record.ts';
import { type Query, recordQueries } from '../store/queries.ts';
import { pages } from '../store/pages.ts';
import { type Found, isReadable, type Stored } from '../store/store.ts';
import { recordFailed } from './defer.ts';
import { followOperation } from './follow.ts';
import { type PollRun, type RunParts } from './poll-run.ts';
import { isFailing } from './project-failures.ts';
import { resumeAndCount, resumeThroughGate } from './project-gate.ts';

/** Working on due records: in order of their due time, as far as their projects allow it in this run. */

const PAGE = 100;
/** Records in progress at once: enough to hide Earth Engine's latency, few enough for its 100 requests a second. */
const CONCURRENCY = 16;
const PROJECTS_AT_ONCE = 4;

/** One kind of due records. */
export interface DueKind {
  readonly part: keyof RunParts;
  readonly query: (now: Date) => Query;
  /** Those of one project that can be worked on now; undefined if there are none. */
  readonly queryOf?: (run: PollRun, project: string) => Promise<Query | undefined>;
  /** @returns whether the record could be worked on */
  readonly work: (run: PollRun, stored: Stored<ExportRecord>) => Promise<boolean>;
}

/** Claims that ran out. They have their own query so that they never wait behind waiting jobs (rule 14). */
export const overdueClaims: DueKind = {
  part: 'due',
  query: recordQueries.overdueSubmitting,
  queryOf: async (run, project) => recordQueries.overdueSubmittingOf(project, run.startedAt),
  work: async (run, stored) => {
    await resumeAndCount(run, stored, 'due');
    return true;
  },
};

export const dueWaiting: DueKind = {
  part: 'due',
  query: recordQueries.dueWaiting,
  queryOf: async (run, project) => {
    if (isFailing(run, project, 'due')) {
      return undefined;
    }
    const gate = await run.gates.get(project);
    const isClosed = gate !== undefined && (gate.feeding === 'CLOSED' || gate.room <= 0);
    return recordQueries.dueWaitingOf(project, isClosed ? ['ADOPTION'] : otherReasons, run.startedAt);
  },
  work: (run, stored) => resumeThroughGate(run, stored, 'due'),
};

export const dueOperations: DueKind = {
  part: 'due',
  query: recordQueries.dueOperations,
  queryOf: async (run, project) =>
    isFailing(run, project, 'due') ? undefined : recordQueries.dueOperationsOf(project, run.startedAt),
  work: async (run, stored) => {
    await followOperation(run, stored);
    return true;
  },
};

/**
 * Works on every due record of a kind, page by page, until none is left or the time for it is over. As soon as some could
 * not be worked on, because their project's gate is closed or the project fails, each project is read separately: those
 * records would otherwise be read by every run, as long as it lasts.
 *
 * @returns the kind if records may be left: an idle run counts nothing
 */
export async function eachDue(
  run: PollRun,
  kind: DueKind,
  projects: Promise<readonly string[]>,
): Promise<DueKind[]> {
  if (run.isOver(kind.part)) {
    return [kind];
  }
  let foundAny = false;
  for await (const page of pages(run.store.records, kind.query(run.startedAt), PAGE)) {
    foundAny = true;
    const allWorkedOn = await workOn(run, page, kind);
    if (run.isOver(kind.part)) {
      break;
    }
    if (!allWorkedOn && page.length === PAGE && kind.queryOf) {
      await pMap(await projects, (project) => eachDueOf(run, kind, project), {
        concurrency: PROJECTS_AT_ONCE,
      });
      break;
    }
  }
  return foundAny ? [kind] : [];
}

/** Reads a project's due records until some cannot be worked on; then only those that can. */
export async function eachDueOf(run: PollRun, kind: DueKind, project: string): Promise<void> {
  for (const isLast of [false, true]) {
    const query = await kind.queryOf?.(run, project);
    let allWorkedOn = true;
    for await (const page of query ? pages(run.store.records, query, PAGE) : []) {
      allWorkedOn = await workOn(run, page, kind);
      if (run.isOver(kind.part) || isFailing(run, project, 'due')) {
        return;
      }
      if (!allWorkedOn && !isLast) {
        break;
      }
    }
    if (allWorkedOn) {
      return;
    }
  }
}

/** @returns whether all of them could be worked on */
async function workOn(run: PollRun, page: readonly Found<ExportRecord>[], kind: DueKind): Promise<boolean> {
  const workedOn = await pMap(page, (found) => workOnOne(run, found, kind), { concurrency: CONCURRENCY });
  return workedOn.every(Boolean);
}

/** Works on one record. If that fails, the record is deferred and the run goes on. */
async function workOnOne(run: PollRun, found: Found<ExportRecord>, kind: DueKind): Promise<boolean> {
  if (run.isOver(kind.part)) {
    return false;
  }
  if (isReadable(found) && found.value.state === 'SUCCEEDED') {
    // It has a part of the run of its own, so that it does not stand in the way of operations.
    run.hasDeliveries = true;
    return false;
  }
  run.summary.due += 1;
  const startedAt = run.clock.now();
  try {
    if (!isReadable(found)) {
      throw found.unreadable;
    }
    return !isFailing(run, found.value.project, 'due') && (await kind.work(run, found));
  } catch (error) {
    await recordFailed(run, found, error, { purpose: 'due', startedAt });
    return true;
  }
}
