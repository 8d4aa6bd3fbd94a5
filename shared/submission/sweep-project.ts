import pMap from 'p-map';

import { type Policy, policyOf } from '../record/policy.ts';
import { fallDue } from '../record/transitions.ts';
import { isUnsettled, type ExportRecord } from '../record/record.ts';
import { settle } from '../record/write.ts';
import { recordQueries } from '../store/queries.ts';
import { isReadable, type Stored } from '../store/store.ts';
import { followOperation } from './follow.ts';
import type { MarkedOperation } from './listing.ts';
import { noteOperation } from './operation-found.ts';
import type { Sweep } from './project-status.ts';
import type { Run } from './run.ts';
import { endedBefore, type Known, lookOf, nameKey, pack, sameKnown, unpack } from './sweep.ts';

const WRITERS = 16;

/**
 * Reads a project's operations as a list and writes the records of those that changed. Its cost follows what changed: a
 * page of 500 costs EE one call, an operation that looks as it did last time nothing more.
 *
 * Where fewer records are active than pages were read last time, each is asked for by itself instead.
 */
export async function sweepProject(run: Run, project: string): Promise<void> {
  const { store } = run;
  const [active, unanswered, stored] = await Promise.all([
    store.records.count(recordQueries.active(project)),
    store.records.count(recordQueries.unanswered(project)),
    store.sweeps.get(project),
  ]);
  if (active === 0 && unanswered === 0) {
    return;
  }
  // A sweep's memory that cannot be read is made anew.
  const last = stored && isReadable(stored) ? stored : undefined;
  if (unanswered === 0 && active <= (last?.value.pages ?? 1)) {
    await askForEach(run, project, active);
    return;
  }
  const seen = await readList(run, project, last?.value, unanswered > 0 ? Number.POSITIVE_INFINITY : active);
  await remember(run, project, last, seen);
}

async function askForEach(run: Run, project: string, active: number): Promise<void> {
  const records = await run.store.records.find(recordQueries.active(project), { limit: active });
  await pMap(records.filter(isReadable), (stored) => askForOne(run, stored), { concurrency: WRITERS });
}

async function askForOne(run: Run, stored: Stored<ExportRecord>): Promise<void> {
  try {
    await followOperation(run, stored);
  } catch (error) {
    run.summary.failed += 1;
    run.log.error('record.failed', error, { recordId: stored.id });
  }
}

interface Seen {
  readonly startedAt: Date;
  readonly known: Known;
  /** When each of them ended that has. */
  readonly endedAt: ReadonlyMap<number, Date>;
  readonly pages: number;
  readonly complete: boolean;
}

/** Reads pages until all of `expected` records' operations were seen, or the list or the run's time ends. */
async function readList(run: Run, project: string, last: Sweep | undefined, expected: number): Promise<Seen> {
  const policy = policyOf(run.config);
  const before = last ? unpack(last.known) : new Map<number, number>();
  const known: Known = new Map();
  const endedAt = new Map<number, Date>();
  const listing = run.listings.since(project, run.startedAt);
  let ours = 0;
  let pages = 0;
  let complete = false;
  while (ours < expected && !run.isOver()) {
    const page = await listing.next();
    if (page === undefined) {
      complete = true;
      break;
    }
    pages += 1;
    const news: MarkedOperation[] = [];
    for (const mark of page) {
      if (endedBefore(mark.operation, last, policy)) {
        continue;
      }
      const key = nameKey(mark.operation.name);
      const look = lookOf(mark.operation);
      const isKnown = before.get(key) === look;
      if (mark.operation.endTime) {
        endedAt.set(key, mark.operation.endTime);
      }
      if (isKnown) {
        known.set(key, look);
      } else {
        news.push(mark);
      }
      // A record whose operation is known to have ended is not among those that are expected.
      ours += isKnown && mark.operation.done ? 0 : 1;
    }
    await lookUp(run, news, known);
  }
  if (!complete) {
    // What was not seen this time is as it was.
    for (const [key, look] of before) {
      if (!known.has(key)) {
        known.set(key, look);
      }
    }
  }
  return { startedAt: listing.startedAt, known, endedAt, pages, complete };
}

/** Brings the records of operations that look new up to date; those whose write failed are not remembered. */
async function lookUp(run: Run, news: readonly MarkedOperation[], known: Known): Promise<void> {
  const founds = await run.store.records.getMany([...new Set(news.map((mark) => mark.recordId))]);
  const records = new Map(founds.map((found) => [found.id, found]));
  await pMap(
    news,
    async (mark) => {
      const found = records.get(mark.recordId);
      const isSettled = found === undefined || (isReadable(found) && (await bringUpToDate(run, found, mark)));
      if (isSettled) {
        known.set(nameKey(mark.operation.name), lookOf(mark.operation));
      }
    },
    { concurrency: WRITERS },
  );
}

async function bringUpToDate(
  run: Run,
  stored: Stored<ExportRecord>,
  mark: MarkedOperation,
): Promise<boolean> {
  try {
    const adopted = isUnsettled(stored.value) ? { note: 'adopted by the sweep' } : {};
    const { operation, requestId } = mark;
    const { written } = await noteOperation(run, stored, { operation, requestId, ...adopted });
    run.summary.changed += written ? 1 : 0;
    return true;
  } catch (error) {
    run.summary.failed += 1;
    run.log.error('record.failed', error, { recordId: stored.id });
    await dueAtOnce(run, stored);
    return false;
  }
}

/** The next sweep may know nothing of it any more, since its operation ended before that: so it falls due (rule 12). */
async function dueAtOnce(run: Run, stored: Stored<ExportRecord>): Promise<void> {
  try {
    await settle(run, stored, (record) => ('dueAt' in record ? fallDue(record, run.clock.now()) : undefined));
  } catch (error) {
    run.log.error('record.not_due', error, { recordId: stored.id });
  }
}

async function remember(
  run: Run,
  project: string,
  last: Stored<Sweep> | undefined,
  seen: Seen,
): Promise<void> {
  const { store, clock } = run;
  const pages = seen.complete || last === undefined ? seen.pages : Math.max(seen.pages, last.value.pages);
  const isNews =
    last === undefined || pages !== last.value.pages || !sameKnown(seen.known, unpack(last.value.known));
  if (!isNews) {
    return;
  }
  const completedAt = seen.complete ? seen.startedAt : (last?.value.completedAt ?? new Date(0));
  const sweep: Sweep = {
    completedAt,
    pages,
    known: pack(withoutLongEnded(seen, completedAt, policyOf(run.config))),
    updatedAt: clock.now(),
  };
  if (last) {
    await store.sweeps.replace(last, sweep);
  } else {
    await store.sweeps.create(project, sweep);
  }
}

/** What ended long before a complete sweep is skipped by its end time from now on. */
function withoutLongEnded({ known, endedAt }: Seen, completedAt: Date, policy: Policy): Known {
  const forgotten = completedAt.getTime() - policy.absenceMs;
  return new Map([...known].filter(([key]) => (endedAt.get(key)?.getTime() ?? Infinity) >= forgotten));
}
