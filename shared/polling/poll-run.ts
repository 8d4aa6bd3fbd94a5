import { later } from '../clock.ts';
import type { ExportRecord } from '../model/record.ts';
import type { Stored } from '../store/store.ts';
import type { SendContext } from '../submission/claimed-send.ts';
import type { SendOutcome } from '../submission/send.ts';
import type { ProjectGate } from './project-gate.ts';
import { noteFailure, noteSuccess, type Purpose } from './project-failures.ts';
import type { ProjectFailures } from './project-failures.ts';

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

/**
 * When each part of a run ends at the latest. A part that is slow in every run must leave time for the next one: a list
 * that takes longer than a run would otherwise stop all queues forever.
 */
export interface RunParts {
  readonly sweeps: Date;
  /** Lists that searches read. */
  readonly searches: Date;
  readonly due: Date;
  /** Feeding the queues, and the run. */
  readonly run: Date;
}

export function partsOf(startedAt: Date, budgetMs: number): RunParts {
  return {
    sweeps: later(startedAt, budgetMs / 3),
    searches: later(startedAt, budgetMs / 2),
    due: later(startedAt, (budgetMs * 2) / 3),
    run: later(startedAt, budgetMs),
  };
}

/** The state of one run, shared by its parts. */
export interface PollRun extends SendContext {
  readonly summary: PollSummary;
  readonly startedAt: Date;
  readonly ends: RunParts;
  /** By project: what this run may do with its queue. */
  readonly gates: Map<string, Promise<ProjectGate>>;
  readonly failures: ProjectFailures;
  /** Whether videos may have to be looked for: this run saw a job that succeeded. */
  hasDeliveries: boolean;
  /** By project: when this process last fed its queue, and how fast Earth Engine started its operations until then. */
  readonly feeds: Map<string, { readonly at: Date; readonly startedPerMs: number }>;
  /** Whether a part of the run is over; without one, the whole run. */
  isOver(part?: keyof RunParts): boolean;
}

/** Counts the outcome of sending a record, on which this run has worked since `startedAt`. */
export function countOutcome(
  run: PollRun,
  stored: Stored<ExportRecord>,
  sendOutcome: SendOutcome,
  purpose: Purpose,
  startedAt: Date,
): void {
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
    noteFailure(run, project, purpose, startedAt);
  } else {
    noteSuccess(run, project, purpose);
  }
}
