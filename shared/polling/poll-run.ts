import { later } from '../clock.ts';
import type { ExportRecord } from '../model/record.ts';
import type { Stored } from '../store/store.ts';
import type { Feeding } from '../submission/gate.ts';
import type { Listing } from '../submission/listing.ts';
import type { SendOutcome } from '../submission/send.ts';
import type { SendContext } from '../submission/claimed-send.ts';

/** What pollExports returns, and logs once as `poll.finished`. */
export interface PollSummary {
  /** Records that were due. */
  due: number;
  /** Records written because Earth Engine reported a change. */
  changed: number;
  /** Records that got an operation. */
  submitted: number;
  /** Records that are waiting after the run. */
  waiting: number;
  rejected: number;
  lost: number;
  /** Records that failed and were deferred; they become due again. */
  failed: number;
  /** Records that are due after the run. */
  remaining: number;
  calls: { export: number; list: number; get: number };
  seconds: number;
}

export interface ProjectGate {
  feeding: Feeding;
  readonly token: string;
  /** When the gate was last read. An open one is read again soon: another instance may have closed it. */
  lookedAt: Date;
  /** How many more jobs may be sent under MAX_ACTIVE_OPERATIONS. */
  room: number;
}

/** The state of one run, shared by its parts. */
export interface PollRun extends SendContext {
  readonly summary: PollSummary;
  readonly startedAt: Date;
  readonly deadline: Date;
  /** By project: what this run may do with its queue. */
  readonly gates: Map<string, ProjectGate>;
  /** By project: how many times in a row it did not answer, or denied permission. */
  readonly projectFailures: Map<string, number>;
  isOver(): boolean;
}

/**
 * Each call to a project that does not answer or denies permission takes time. After this many failures in a row, the
 * rest of its records wait for the next run, so that other projects are not delayed.
 */
const MAX_PROJECT_FAILURES = 3;

export function noteProjectFailure({ projectFailures }: PollRun, project: string): void {
  projectFailures.set(project, (projectFailures.get(project) ?? 0) + 1);
}

export function isProjectFailing({ projectFailures }: PollRun, project: string): boolean {
  return (projectFailures.get(project) ?? 0) >= MAX_PROJECT_FAILURES;
}

/** Until when a list is read: a slow or endless one must not take the time of all other projects. */
export function readUntil({ config, deadline }: PollRun, { startedAt }: Listing): Date {
  const half = later(startedAt, config.pollBudgetMs / 2);
  return half < deadline ? half : deadline;
}

/** Counts the outcome of sending a record. */
export function countOutcome(run: PollRun, stored: Stored<ExportRecord>, sendOutcome: SendOutcome): void {
  const { project, state } = stored.value;
  if (state === 'REJECTED') {
    run.summary.rejected += 1;
  }
  if (state === 'LOST') {
    run.summary.lost += 1;
  }
  if (sendOutcome === 'OPERATION') {
    run.summary.submitted += 1;
  }
  if (sendOutcome === 'OUTAGE' || sendOutcome === 'PERMISSION' || sendOutcome === 'NOT_SENT') {
    noteProjectFailure(run, project);
  } else {
    run.projectFailures.delete(project);
  }
}
