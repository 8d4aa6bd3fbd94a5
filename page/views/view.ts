import type { Finding } from '../../shared/model/finding.ts';
import type { DeliveryState } from '../../shared/model/delivery.ts';
import type { RecordState, WaitingFor } from '../../shared/model/record.ts';

/**
 * What each page shows, as plain JSON: the server renders it, the browser renders the same again and keeps it up to date. Times
 * are ISO 8601. Text from messages is bounded here and stays text everywhere.
 */
export type View = OverviewView | BatchesView | BatchView | ExportsView | ExportView | ProblemView;

/** A document that this version cannot read has a state of its own, so that it is not hidden. */
export type ShownState = RecordState | 'UNREADABLE';

/** How a job that did not succeed can be retried. `FORCE` would most likely fail the same way. */
export type RetryKind = 'PLAIN' | 'FORCE';

/** A record in a list. */
export interface Row {
  readonly id: string;
  /** The job key, or the record id. */
  readonly name: string;
  readonly attempt: number;
  readonly state: ShownState;
  readonly waitingFor?: WaitingFor;
  /** Of the video, once the job has succeeded. */
  readonly delivery?: DeliveryState;
  /** Earth Engine's stage, the error, or the destination. */
  readonly detail: string;
  readonly progress?: number;
  readonly project: string;
  readonly batches: readonly string[];
  readonly labels: Readonly<Record<string, string>>;
  readonly createdAt: string;
  readonly updatedAt: string;
  readonly startedAt?: string;
  readonly finishedAt?: string;
  readonly stalledSince?: string;
  readonly cancelRequestedAt?: string;
  readonly retry?: RetryKind;
}

export interface ProjectRow {
  readonly project: string;
  readonly gate: 'OPEN' | 'CLOSED' | 'PROBE';
  readonly closedFor?: WaitingFor;
  readonly closedUntil?: string;
  readonly restrictedSince?: string;
  /** In Earth Engine's queue, or on the way to it. */
  readonly active: number;
  readonly limit: number;
  readonly queued: number;
}

/** One hour of finished jobs. */
export interface Hour {
  readonly from: string;
  readonly succeeded: number;
  readonly unsuccessful: number;
  readonly eecuSeconds: number;
}

export type ProblemCode =
  | 'POLLER_LATE'
  | 'DEAD_LETTERS'
  | 'MISSING_VIDEOS'
  | 'SUSPECT_VIDEOS'
  | 'WAITING_PERMISSION'
  | 'WAITING_SERVICE'
  | 'RESTRICTED'
  | 'STALLED'
  | 'UNSUCCESSFUL'
  | 'REJECTED_MESSAGES'
  | 'BUDGET_HOLDS'
  | 'BUDGET_CANCELS';

/** A command line that does something about a problem, or the address where it is done. */
export interface Remedy {
  readonly does: 'RAISE' | 'RELEASE' | 'GRANT' | 'SHOW' | 'LOGS' | 'REPLAY';
  readonly text: string;
}

/** Something that a person should look at. Its texts, and what to do, are in `texts.ts`. */
export interface Problem {
  readonly code: ProblemCode;
  readonly severity: 'ERROR' | 'WARNING';
  /** How many there are, at least. */
  readonly count: number;
  /** What it is about: a project, an error's status. */
  readonly subject?: string;
  /** What was reported, such as Earth Engine's message. */
  readonly message?: string;
  /** What to do, if the record says it. */
  readonly advice?: string;
  readonly remedies?: readonly Remedy[];
  readonly since?: string;
  /** The page that shows more. */
  readonly href?: string;
}

/** The figures and lists of the overview. A part that takes long to read comes later. */
export interface OverviewParts {
  /** Jobs at Earth Engine, or on the way to it: those that run, and the others. */
  readonly counts?: { readonly running: number; readonly others: number };
  readonly waiting?: Waiting;
  readonly projects?: readonly ProjectRow[];
  /** The last 24, oldest first. The last one is not over. */
  readonly hours?: readonly Hour[];
  readonly problems?: readonly Problem[];
  readonly running?: readonly Row[];
  readonly finished?: readonly Row[];
  readonly budgets?: readonly BudgetRow[];
}

/** What was spent of a budget. */
export interface BudgetRow {
  readonly id: string;
  /** What it covers; empty for everything. */
  readonly match: string;
  /** `2026-11`, or `TOTAL`. */
  readonly period?: string;
  readonly limitEecuHours?: number;
  readonly spentEecuSeconds?: number;
  readonly holds: boolean;
  readonly cancels: boolean;
  /** How many jobs wait for it, if it holds jobs. */
  readonly held?: number;
  /** The command that raises the limit of a budget that holds or cancels jobs. */
  readonly raise?: string;
  /** Why its figures are missing. */
  readonly problem?: string;
}

export interface MissingPermissionView {
  readonly why: string;
  /** A command, or an address. */
  readonly fix?: string;
}

export interface Waiting {
  readonly reasons: readonly { readonly reason: WaitingFor; readonly count: number }[];
  readonly oldest?: Row;
  /** Of one of the jobs that wait for a permission. */
  readonly permission?: MissingPermissionView & { readonly id: string };
}

export interface OverviewView extends OverviewParts {
  readonly kind: 'overview';
  /** Whether parts are missing, or older than the others. */
  readonly isIncomplete: boolean;
}

export interface BatchRow {
  readonly id: string;
  readonly state: 'EXPANDING' | 'RUNNING' | 'FINISHED';
  readonly jobs: number;
  readonly published: number;
  readonly counts: BatchCounts;
  readonly eecuSeconds?: number;
  readonly createdAt: string;
  readonly finishedAt?: string;
  readonly cancelRequestedAt?: string;
}

export interface BatchCounts {
  readonly waiting: number;
  readonly active: number;
  readonly succeeded: number;
  readonly unsuccessful: number;
}

export interface BatchesView {
  readonly kind: 'batches';
  readonly rows: readonly BatchRow[];
  /** The page with older ones. */
  readonly next?: string;
}

/** A job of a batch: its latest attempt. */
export interface Cell {
  readonly row: Row;
  /** What distinguishes it from the other jobs of its line. */
  readonly label: string;
}

/** Jobs in lines and columns, as the values in their keys arrange them. */
export interface Grid {
  /** Without columns, each line wraps. */
  readonly columns: readonly string[];
  readonly lines: readonly { readonly label: string; readonly cells: readonly (Cell | null)[] }[];
}

export interface RejectedRow {
  readonly id: string;
  readonly reason: string;
  readonly issues: readonly { readonly path: string; readonly message: string }[];
  readonly createdAt: string;
}

export interface BatchView {
  readonly kind: 'batch';
  readonly id: string;
  /** Absent if jobs name a batch that no manifest made. */
  readonly batch?: BatchRow;
  readonly rows: readonly Row[];
  /** The batch has more jobs than are shown. */
  readonly truncated: boolean;
  readonly rejected: readonly RejectedRow[];
}

export interface Filter {
  readonly states: readonly RecordState[];
  readonly deliveries: readonly DeliveryState[];
  readonly batch?: string;
  readonly label?: { readonly name: string; readonly value: string };
  /** Part of a job key or a record id. */
  readonly text?: string;
}

export interface ExportsView {
  readonly kind: 'exports';
  readonly filter: Filter;
  readonly rows: readonly Row[];
  /** How many match, if the database can count them. */
  readonly total?: number;
  /** This page starts after this position, if it is not the first one. */
  readonly after?: string;
  /** Where the next page starts. */
  readonly next?: string;
  /** The search stopped at `next` before the page was full. */
  readonly partial: boolean;
}

/** One state, or two that alternate. */
export interface HistoryEntry {
  readonly states: readonly string[];
  readonly at: string;
  /** How often it follows itself, if it does, and when the last time was. */
  readonly times?: number;
  readonly until?: string;
  readonly note?: string;
}

export interface RecordErrorView {
  readonly code: number;
  readonly status: string;
  readonly message: string;
  readonly retryable: boolean;
  readonly advice?: string;
}

export interface ExportView {
  readonly kind: 'export';
  readonly row: Row;
  readonly history: readonly HistoryEntry[];
  readonly error?: RecordErrorView;
  /** When the poller next works on it. */
  readonly dueAt?: string;
  readonly facts: ExportFacts;
  /** What the check of its graph found. */
  readonly findings: readonly Finding[];
  readonly attempts: readonly Row[];
  readonly request?: RequestText;
  readonly delivery?: DeliveryView;
  /** What to grant, if it waits for a permission. */
  readonly permission?: MissingPermissionView;
  /** The retry that has an effect, if there is one. */
  readonly retry?: RetryKind;
  readonly canRenderAgain: boolean;
  readonly canVerify: boolean;
  readonly canCancel: boolean;
}

/** What the service found of the video. */
export interface DeliveryView {
  readonly state: DeliveryState;
  readonly checkedAt?: string;
  readonly object?: string;
  readonly copy?: string;
  /** `frames`, `width`, and so on, as far as they are known. */
  readonly bytes?: number;
  readonly frames?: number;
  readonly framesPerSecond?: number;
  readonly width?: number;
  readonly height?: number;
  readonly durationSeconds?: number;
  readonly codec?: string;
  readonly problems: readonly { readonly code: string; readonly message: string }[];
  /** Where the page gets its bytes, if it can be played. */
  readonly video?: string;
}

export interface ExportFacts {
  readonly destination?: string;
  readonly outputUris: readonly string[];
  readonly operation?: string;
  readonly stage?: string;
  readonly eecuSeconds?: number;
  readonly priority: number;
  readonly workloadTag?: string;
  readonly submissions: number;
  readonly submittedAt?: string;
  readonly serviceAccount?: string;
  readonly messageId: string;
  readonly extraOperations: readonly string[];
  readonly expireAt?: string;
}

/** The request, as text that people can read. */
export interface RequestText {
  /** Its expression, as code. */
  readonly code?: string;
  /** All of it; without its expression, if that is shown as code. */
  readonly json: string;
  /** A text is cut; all of it is at `/api/exports/{id}/request`. */
  readonly truncated: boolean;
}

export interface ProblemView {
  readonly kind: 'problem';
  readonly status: 400 | 404 | 422 | 500;
}
