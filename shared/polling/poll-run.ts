import { later } from '../clock.ts';
import type { ExportRecord } from '../model/record.ts';
import type { Stored } from '../store/store.ts';
import type { Feeding } from '../submission/gate.ts';
import type { Listing } from '../submission/listing.ts';
import type { SendOutcome } from '../submission/send.ts';
import type { SendContext } from '../submission/claimed-send.ts';

/** What pollExports answers, and logs once as `poll.finished`. */
export interface PollSummary {
  /** Records that had fallen due. */
  due: number;
  /** Records written because EE said something new. */
  changed: number;
  /** Records that got an operation. */
  submitted: number;
  /** Records that wait after the run. */
  waiting: number;
  rejected: number;
  lost: number;
  /** Records that were set aside by an error; they fall due again. */
  failed: number;
  /** Records that are due after the run. */
  remaining: number;
  calls: { export: number; list: number; get: number };
  seconds: number;
}

export interface ProjectGate {
  feeding: Feeding;
  readonly token: string;
  /** An open gate is looked at again before long: another instance may have closed it. */
  lookedAt: Date;
  /** How many more may be started under MAX_ACTIVE_OPERATIONS. */
  room: number;
}

/** A run, as its parts see it. */
export interface PollRun extends SendContext {
  readonly summary: PollSummary;
  readonly startedAt: Date;
  /** When its time is up. */
  readonly deadline: Date;
  /** What this run may do with each project's queue. */
  readonly gates: Map<string, ProjectGate>;
  /** How often in a row each project did not answer, or forbade us. */
  readonly troubles: Map<string, number>;
  isOver(): boolean;
}

/**
 * A project that stays silent or forbids us costs every try its time. After so many in a row the rest of its records wait
 * for the next run, so that other projects' are not delayed.
 */
const MAX_TROUBLES = 3;

export function noteTrouble(run: PollRun, project: string): void {
  run.troubles.set(project, (run.troubles.get(project) ?? 0) + 1);
}

export function isTroubled(run: PollRun, project: string): boolean {
  return (run.troubles.get(project) ?? 0) >= MAX_TROUBLES;
}

/** Until when a list is read: one that is slow, or has no end, must not take the time of all other projects. */
export function readUntil({ config, deadline }: PollRun, { startedAt }: Listing): Date {
  const half = later(startedAt, config.pollBudgetMs / 2);
  return half < deadline ? half : deadline;
}

/** Counts what came of sending a record. */
export function countOutcome(run: PollRun, stored: Stored<ExportRecord>, sendOutcome: SendOutcome): void {
  const { project, state } = stored.value;
  if (state === 'REJECTED') {
    run.summary.rejected += 1;
  }
  if (sendOutcome === 'OPERATION') {
    run.summary.submitted += 1;
  }
  if (sendOutcome === 'OUTAGE' || sendOutcome === 'PERMISSION' || sendOutcome === 'NOT_ASKED') {
    noteTrouble(run, project);
  } else {
    run.troubles.delete(project);
  }
}
