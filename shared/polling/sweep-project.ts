import pMap from 'p-map';

import { later } from '../clock.ts';
import type { Operation } from '../earth-engine/api.ts';
import { sameOperation } from '../earth-engine/operation.ts';
import { StaleWriteError } from '../errors.ts';
import { type Policy } from '../record/policy.ts';
import { markDue } from '../record/transitions.ts';
import { type ActiveRecord, type ExportRecord, isActive, isInSubmission } from '../model/record.ts';
import { updateRecord } from '../records.ts';
import { recordQueries } from '../store/queries.ts';
import { isReadable, type Stored } from '../store/store.ts';
import { followOperation } from './follow.ts';
import type { MarkedOperation } from '../submission/listing.ts';
import { isOutdated, noteOperation } from '../submission/note-operation.ts';
import type { Sweep } from '../model/project-status.ts';
import type { PollRun } from './poll-run.ts';
import {
  endedBefore,
  isFollowed,
  isNews,
  type SweepSnapshot,
  nameKey,
  pack,
  snapshotEntry,
  sameSnapshot,
  unpack,
} from './sweep-snapshot.ts';

const WRITERS = 16;

/**
 * Reads a project's operations as a list and writes the records of those that changed. Its cost follows what changed: a
 * page of 500 costs EE one call, an operation that looks as it did last time nothing more.
 *
 * Where fewer records are active than pages were read last time, each is asked for by itself instead. As often as a
 * record's own safety net the whole list is read all the same: an operation that is one too many is seen nowhere else
 * (rule 9).
 */
export async function sweepProject(run: PollRun, project: string): Promise<void> {
  const { store, config, startedAt } = run;
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
  const readsAll = unanswered > 0 || isLongAgo(run, last?.value.completedAt);
  if (!readsAll && active < (last?.value.pages ?? 1)) {
    await askForEach(run, project, active);
    return;
  }
  // Where a list is too long to be read in a third of the run, what is known of is enough.
  const readAllUntil = readsAll ? later(startedAt, config.pollBudgetMs / 3) : startedAt;
  const seen = await readList(run, project, last?.value, { active, readAllUntil });
  await writeDown(run, project, last, seen);
}

const isLongAgo = ({ startedAt, config }: PollRun, completedAt = new Date(0)): boolean =>
  startedAt.getTime() - completedAt.getTime() >= config.pollMaxMs;

async function askForEach(run: PollRun, project: string, active: number): Promise<void> {
  const records = await run.store.records.find(recordQueries.active(project), { limit: active });
  await pMap(records.filter(isReadable), (stored) => askForOne(run, stored), { concurrency: WRITERS });
}

async function askForOne(run: PollRun, stored: Stored<ExportRecord>): Promise<void> {
  try {
    await followOperation(run, stored);
  } catch (error) {
    run.summary.failed += 1;
    run.log.error('record.failed', error, { recordId: stored.id });
  }
}

/** What one sweep saw. */
interface Seen {
  readonly startedAt: Date;
  readonly known: SweepSnapshot;
  /** When each of them ended that has. */
  readonly endedAt: Map<number, Date>;
  pages: number;
  complete: boolean;
}

/** Reads pages until the operations of all active records were seen, or the list or the run's time ends. */
async function readList(
  run: PollRun,
  project: string,
  last: Sweep | undefined,
  expected: { readonly active: number; readonly readAllUntil: Date },
): Promise<Seen> {
  const policy = run.policy;
  const before: SweepSnapshot = last ? unpack(last.known) : new Map();
  const listing = run.listings.since(project, run.startedAt);
  const { startedAt } = listing;
  const seen: Seen = { startedAt, known: new Map(), endedAt: new Map(), pages: 0, complete: false };
  /** How many of the active records were seen for certain. */
  let followed = 0;
  /** Operations that wait in EE's queue and were never seen before. */
  let queued: MarkedOperation[] = [];
  while (!run.isOver()) {
    const enough = followed + queued.length >= expected.active && run.clock.now() >= expected.readAllUntil;
    if (seen.complete || enough) {
      // As many as there are active records: then they are theirs, and need not be read.
      const theirs = followed + queued.length === expected.active;
      followed += theirs ? trust(queued, seen) : await lookUp(run, project, queued, seen);
      queued = [];
      if (seen.complete || followed >= expected.active) {
        break;
      }
    }
    const page = await listing.next();
    if (page === undefined) {
      seen.complete = true;
      continue;
    }
    seen.pages += 1;
    const news: MarkedOperation[] = [];
    for (const mark of page) {
      const { operation } = mark;
      if (endedBefore(operation, last, policy)) {
        continue;
      }
      const key = nameKey(operation.name);
      const remembered = before.get(key);
      if (operation.endTime) {
        seen.endedAt.set(key, operation.endTime);
      }
      if (remembered !== undefined && !isNews(operation, remembered)) {
        seen.known.set(key, remembered);
        followed += isFollowed(remembered) ? 1 : 0;
      } else if (remembered === undefined && operation.state === 'PENDING' && !operation.done) {
        queued.push(mark);
      } else {
        news.push(mark);
      }
    }
    followed += await lookUp(run, project, news, seen);
  }
  if (!seen.complete) {
    keepUnseen(before, seen);
  }
  return seen;
}

/**
 * How many operations are remembered at most, where no sweep reads a whole list for long. Ended ones that were not seen
 * are then forgotten: should a list show them again, their records are read once more.
 */
const MAX_KNOWN = 50_000;

/** What was not seen this time is as it was. */
function keepUnseen(before: SweepSnapshot, { known }: Seen): void {
  const full = before.size > MAX_KNOWN;
  for (const [key, remembered] of before) {
    if (!known.has(key) && (!full || isFollowed(remembered))) {
      known.set(key, remembered);
    }
  }
}

/** Remembers queued operations as those of PENDING records. */
function trust(queued: readonly MarkedOperation[], { known }: Seen): number {
  for (const { operation } of queued) {
    known.set(nameKey(operation.name), snapshotEntry(operation, { progress: 0 }));
  }
  return queued.length;
}

/**
 * Brings the records of operations that look new up to date, and remembers what is recorded then; those whose write
 * failed are not remembered, nor those that another run has written since the list began.
 *
 * @returns how many of their records were active when the sweep counted them
 */
async function lookUp(
  run: PollRun,
  project: string,
  news: readonly MarkedOperation[],
  seen: Seen,
): Promise<number> {
  const founds = await run.store.records.getMany([...new Set(news.map((mark) => mark.recordId))]);
  const records = new Map(founds.map((found) => [found.id, found]));
  let counted = 0;
  await pMap(
    news,
    async ({ operation, ...mark }) => {
      const found = records.get(mark.recordId);
      const key = nameKey(operation.name);
      if (found && !isReadable(found)) {
        return;
      }
      // A record's operation is in its project: in another, a marker was copied.
      if (found?.value.project !== project) {
        seen.known.set(key, snapshotEntry(operation, undefined));
        return;
      }
      counted += follows(found.value, operation) && found.value.updatedAt <= run.startedAt ? 1 : 0;
      const after = await bringUpToDate(run, found, { operation, ...mark }, seen.startedAt);
      if (after) {
        seen.known.set(
          key,
          snapshotEntry(operation, follows(after, operation) ? { progress: after.progress } : undefined),
        );
      }
    },
    { concurrency: WRITERS },
  );
  return counted;
}

const follows = (record: ExportRecord, operation: Operation): record is ActiveRecord =>
  isActive(record) && sameOperation(record.operation, operation.name);

/** @returns the record as it is then; undefined where it could not be written, or another run knows more of it */
async function bringUpToDate(
  run: PollRun,
  stored: Stored<ExportRecord>,
  mark: MarkedOperation,
  asOf: Date,
): Promise<ExportRecord | undefined> {
  try {
    const adopted = isInSubmission(stored.value) ? { note: 'adopted by the sweep' } : {};
    const { operation, requestId } = mark;
    const found = { operation, requestId, asOf, ...adopted };
    const { stored: after, written } = await noteOperation(run, stored, found);
    run.summary.changed += written ? 1 : 0;
    return written || !isOutdated(after.value, found) ? after.value : undefined;
  } catch (error) {
    run.summary.failed += 1;
    run.log.error('record.failed', error, { recordId: stored.id });
    await dueAtOnce(run, stored);
    return undefined;
  }
}

/** The next sweep may know nothing of it any more, since its operation ended before that: so it falls due (rule 12). */
async function dueAtOnce(run: PollRun, stored: Stored<ExportRecord>): Promise<void> {
  try {
    await updateRecord(run, stored, (record) =>
      record.state === 'WAITING' || isActive(record) ? markDue(record, run.clock.now()) : undefined,
    );
  } catch (error) {
    run.log.error('record.not_due', error, { recordId: stored.id });
  }
}

async function writeDown(
  run: PollRun,
  project: string,
  last: Stored<Sweep> | undefined,
  seen: Seen,
): Promise<void> {
  const { store, clock } = run;
  if (
    last &&
    !isWorthWriting(last.value, seen) &&
    !(seen.complete && isLongAgo(run, last.value.completedAt))
  ) {
    return;
  }
  const completedAt = seen.complete ? seen.startedAt : (last?.value.completedAt ?? new Date(0));
  const sweep: Sweep = {
    completedAt,
    pages: seen.pages,
    known: pack(withoutLongEnded(seen, completedAt, run.policy)),
    updatedAt: clock.now(),
  };
  if (last === undefined) {
    await store.sweeps.create(project, sweep);
    return;
  }
  try {
    await store.sweeps.replace(last, sweep);
  } catch (error) {
    // Another run wrote down what it saw: the next one reads a few records once more.
    if (!(error instanceof StaleWriteError)) {
      throw error;
    }
  }
}

/** How many pages a list in random order takes differs from time to time, which is no news. */
const isWorthWriting = (last: Sweep, { pages, known }: Seen): boolean =>
  pages * 2 < last.pages || pages > last.pages * 2 || !sameSnapshot(known, unpack(last.known));

/** What ended long before a complete sweep is skipped by its end time from now on. */
function withoutLongEnded({ known, endedAt }: Seen, completedAt: Date, policy: Policy): SweepSnapshot {
  const forgotten = completedAt.getTime() - policy.absenceMs;
  return new Map([...known].filter(([key]) => (endedAt.get(key)?.getTime() ?? Infinity) >= forgotten));
}
