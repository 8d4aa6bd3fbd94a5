import pMap from 'p-map';

import { EarthEngineError, type Operation } from '../earth-engine/api.ts';
import { sameOperation } from '../earth-engine/operation.ts';
import { StaleWriteError } from '../errors.ts';
import { hasDueDelivery } from '../record/delivery.ts';
import { type Policy } from '../record/policy.ts';
import { type ActiveRecord, type ExportRecord, isActive, isInSubmission } from '../model/record.ts';
import { recordQueries } from '../store/queries.ts';
import { type Found, isReadable, type Stored, toReplace } from '../store/store.ts';
import { followOperation } from './follow.ts';
import type { MarkedOperation } from '../submission/listing.ts';
import { isOutdated, markDueAtOnce, noteOperation } from '../submission/note-operation.ts';
import type { Sweep } from '../model/project-status.ts';
import type { PollRun } from './poll-run.ts';
import { isFailing, noteFailure } from './project-failures.ts';
import {
  assumedEntry,
  endedBefore,
  isAssumed,
  isFollowed,
  hasChanged,
  type SweepSnapshot,
  nameKey,
  pack,
  snapshotEntry,
  sameSnapshot,
  unpack,
} from './sweep-snapshot.ts';

const WRITERS = 16;

/**
 * Reads a project's operations as a list and writes the records of those that changed. The cost follows the changes: a
 * page of 500 is one call, and an unchanged operation costs nothing more.
 *
 * If there are fewer active records than the last sweep read pages, each operation is requested individually instead.
 * The whole list is still read as often as a record's own safety net applies: only the list shows extra operations
 * (rule 9).
 */
export async function sweepProject(run: PollRun, project: string): Promise<void> {
  const { store } = run;
  const [active, unanswered, stored] = await Promise.all([
    store.records.count(recordQueries.active(project)),
    store.records.count(recordQueries.unanswered(project)),
    store.sweeps.get(project),
  ]);
  if (active === 0 && unanswered === 0) {
    return;
  }
  const last = stored && isReadable(stored) ? stored.value : undefined;
  const readsAll = unanswered > 0 || isLongAgo(run, last?.completedAt);
  if (!readsAll && active < (last?.pages ?? 1)) {
    await followEach(run, project, active);
    return;
  }
  const expected = { active, readsAll, mayAssume: unanswered === 0 };
  const seen = await readList(run, project, last, expected);
  await saveSnapshot(run, project, stored, seen);
}

const isLongAgo = ({ startedAt, config }: PollRun, completedAt = new Date(0)): boolean =>
  startedAt.getTime() - completedAt.getTime() >= config.pollMaxMs;

async function followEach(run: PollRun, project: string, active: number): Promise<void> {
  const records = await run.store.records.find(recordQueries.active(project), { limit: active });
  await pMap(records.filter(isReadable), (stored) => followOne(run, stored), { concurrency: WRITERS });
}

async function followOne(run: PollRun, stored: Stored<ExportRecord>): Promise<void> {
  const { project } = stored.value;
  if (run.isOver('sweeps') || isFailing(run, project, 'due')) {
    return;
  }
  const startedAt = run.clock.now();
  try {
    await followOperation(run, stored);
  } catch (error) {
    if (error instanceof EarthEngineError) {
      noteFailure(run, project, 'due', startedAt);
    }
    run.summary.failed += 1;
    run.log.error('record.failed', error, { recordId: stored.id });
  }
}

/** What one sweep saw. */
interface Seen {
  readonly startedAt: Date;
  readonly known: SweepSnapshot;
  /** When the operations that have ended did so. */
  readonly endedAt: Map<number, Date>;
  pages: number;
  complete: boolean;
}

/** Reads pages until the operations of all active records were seen, the list ends, or the time for sweeps is over. */
async function readList(
  run: PollRun,
  project: string,
  last: Sweep | undefined,
  expected: {
    readonly active: number;
    readonly readsAll: boolean;
    /** False while a send is unanswered: a queued operation may be the one that it started. */
    readonly mayAssume: boolean;
  },
): Promise<Seen> {
  const policy = run.policy;
  const before: SweepSnapshot = last ? unpack(last.known) : new Map();
  const listing = run.listings.since(project, run.startedAt);
  const { startedAt } = listing;
  const seen: Seen = { startedAt, known: new Map(), endedAt: new Map(), pages: 0, complete: false };
  /** How many active records' operations were seen for certain. */
  let followed = 0;
  /** Operations that wait in Earth Engine's queue and were never seen before. */
  let queued: MarkedOperation[] = [];
  for (;;) {
    // A list that is too long for that is continued by no later sweep: what it did not show becomes due.
    const isOver = run.isOver('sweeps');
    const enough = !expected.readsAll && followed + queued.length >= expected.active;
    if (seen.complete || enough || isOver) {
      // Exactly as many as the active records that are left: then they belong to those, which need not be read.
      const isExact = expected.mayAssume && followed + queued.length === expected.active;
      followed += isExact ? assumePending(queued, seen) : await updateRecords(run, project, queued, seen);
      queued = [];
      if (seen.complete || isOver || followed >= expected.active) {
        break;
      }
    }
    const page = await listing.next();
    if (page === undefined) {
      seen.complete = true;
      continue;
    }
    seen.pages += 1;
    const changed: MarkedOperation[] = [];
    for (const mark of page) {
      const { operation } = mark;
      if (endedBefore(operation, last, policy)) {
        continue;
      }
      const key = nameKey(operation.name);
      const remembered = before.get(key);
      const isKnown = remembered !== undefined && (expected.mayAssume || !isAssumed(remembered));
      const entry = isKnown ? remembered : undefined;
      if (operation.endTime) {
        seen.endedAt.set(key, operation.endTime);
      }
      if (entry !== undefined && !hasChanged(operation, entry)) {
        seen.known.set(key, entry);
        followed += isFollowed(entry) ? 1 : 0;
      } else if (entry === undefined && operation.state === 'PENDING' && !operation.done) {
        queued.push(mark);
      } else {
        changed.push(mark);
      }
    }
    followed += await updateRecords(run, project, changed, seen);
  }
  if (!seen.complete) {
    keepUnseen(before, seen);
  }
  return seen;
}

/**
 * The most operations that are remembered while no sweep reads a whole list. Beyond that, ended operations that were
 * not seen are forgotten: if a list shows them again, their records are read once more.
 */
const MAX_KNOWN = 50_000;

/** Keeps the entries of operations that were not seen this time. */
function keepUnseen(before: SweepSnapshot, { known }: Seen): void {
  const full = before.size > MAX_KNOWN;
  for (const [key, entry] of before) {
    if (!known.has(key) && (!full || isFollowed(entry))) {
      known.set(key, entry);
    }
  }
}

/** Remembers queued operations as those of PENDING records. */
function assumePending(queued: readonly MarkedOperation[], { known }: Seen): number {
  for (const { operation } of queued) {
    known.set(nameKey(operation.name), assumedEntry(operation));
  }
  return queued.length;
}

/**
 * Brings the records of changed operations up to date and remembers the result, except for records whose write failed, or
 * that another run has written since the list began.
 *
 * @returns how many of their records were active when the sweep counted them
 */
async function updateRecords(
  run: PollRun,
  project: string,
  changed: readonly MarkedOperation[],
  seen: Seen,
): Promise<number> {
  const founds = await run.store.records.getMany([...new Set(changed.map((mark) => mark.recordId))]);
  const records = new Map(founds.map((found) => [found.id, found]));
  let counted = 0;
  await pMap(
    changed,
    async ({ operation, ...mark }) => {
      const found = records.get(mark.recordId);
      const key = nameKey(operation.name);
      if (found && !isReadable(found)) {
        return;
      }
      // A record's operation is in its project: in another project, the marker was copied.
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

/** @returns the record afterwards; undefined if the write failed, or if another run knows a newer state */
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
    run.hasDeliveries ||= written && hasDueDelivery(after.value);
    return written || !isOutdated(after.value, found) ? after.value : undefined;
  } catch (error) {
    run.summary.failed += 1;
    run.log.error('record.failed', error, { recordId: stored.id });
    // The next sweep may skip an operation that has ended.
    await markDueAtOnce(run, stored);
    return undefined;
  }
}

async function saveSnapshot(
  run: PollRun,
  project: string,
  stored: Found<Sweep> | undefined,
  seen: Seen,
): Promise<void> {
  const { store, clock } = run;
  const last = stored && isReadable(stored) ? stored.value : undefined;
  if (last && !isWorthWriting(last, seen) && !(seen.complete && isLongAgo(run, last.completedAt))) {
    return;
  }
  const completedAt = seen.complete ? seen.startedAt : (last?.completedAt ?? new Date(0));
  const sweep: Sweep = {
    completedAt,
    pages: seen.pages,
    known: pack(withoutLongEnded(seen, completedAt, run.policy)),
    updatedAt: clock.now(),
  };
  if (stored === undefined) {
    await store.sweeps.create(project, sweep);
    return;
  }
  try {
    // An unreadable snapshot is made anew.
    await store.sweeps.replace(toReplace(stored), sweep);
  } catch (error) {
    // Another run saved its own snapshot: the next run reads a few records once more.
    if (!(error instanceof StaleWriteError)) {
      throw error;
    }
  }
}

/** A list in random order takes a different number of pages each time, which is not worth a write. */
const isWorthWriting = (last: Sweep, { pages, known }: Seen): boolean =>
  pages * 2 < last.pages || pages > last.pages * 2 || !sameSnapshot(known, unpack(last.known));

/** What ended long before a complete sweep is skipped by its end time from now on. */
function withoutLongEnded({ known, endedAt }: Seen, completedAt: Date, policy: Policy): SweepSnapshot {
  const forgotten = completedAt.getTime() - policy.absenceMs;
  return new Map([...known].filter(([key]) => (endedAt.get(key)?.getTime() ?? Infinity) >= forgotten));
}
