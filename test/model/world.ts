import type { Operation } from '../../shared/earth-engine/api.ts';
import type { EmptySearch } from '../../shared/record/proof.ts';
import type { Policy } from '../../shared/record/policy.ts';
import type { ExportRecord, RecordInSubmission } from '../../shared/model/record.ts';
import type { SendFindings } from '../../shared/record/transitions.ts';

/** The parts of the model: one job, its record, the processes that work on it, and Earth Engine. All of it is data. */

export const TICK_MS = 1000;

/** T is four ticks: by then a request has arrived, and its operation is listed. */
export const policy: Policy = {
  leaseMs: 2 * TICK_MS,
  retryMinMs: TICK_MS,
  retryMaxMs: 2 * TICK_MS,
  absenceMs: 4 * TICK_MS,
  /** Long enough for every proof; the end of a world without one is only played to. */
  submitDeadlineMs: 24 * TICK_MS,
  pollMinMs: 2 * TICK_MS,
  pollMaxMs: 4 * TICK_MS,
  stalledMs: 1000 * TICK_MS,
  verifyDelivery: false,
  deliveryWaitMs: 0,
  retentionMs: 1000 * TICK_MS,
};

export interface World {
  readonly nowMs: number;
  readonly record: ExportRecord | undefined;
  readonly version: number;
  /** The id in the stored bytes. */
  readonly storedId: string;
  readonly ids: Readonly<Record<string, 'OPERATION' | 'USED_UP'>>;
  readonly operations: readonly ModelOperation[];
  readonly inFlight: readonly Request[];
  readonly processes: readonly Process[];
  readonly budget: Budget;
  readonly tokens: number;
  /** Earth Engine cuts descriptions, so no list shows a marker, and a response showed that. */
  readonly dropsMarkers: boolean;
  /** A list that a poller began and that takes longer than its run. */
  readonly list: UnfinishedList | undefined;
}

/** A list of two parts: the first one was read, and showed nothing of ours. */
export interface UnfinishedList {
  readonly startedAtMs: number;
  /** The operations that are in the second part. One that was not listed when the list began may be in the first part. */
  readonly later: readonly string[];
  /** The first part showed an operation without a description. */
  readonly isHiding: boolean;
}

export interface Request {
  readonly requestId: string;
  readonly account: string;
  readonly sentAtMs: number;
}

export interface ModelOperation extends Request {
  readonly name: string;
  readonly state: 'PENDING' | 'SUCCEEDED' | 'CANCELLED';
  readonly cancelRequested: boolean;
}

/** How many more times each fault may happen. */
export interface Budget {
  readonly crash: number;
  /** Timeouts, lost answers, lost requests, late requests. */
  readonly unanswered: number;
  /** Earth Engine refuses an id that it knows, rather than answering with its operation. */
  readonly refusal: number;
  readonly queueFull: number;
  readonly refusedForGood: number;
  readonly cancel: number;
  /** Lists that do not show a young operation. */
  readonly lag: number;
  /** Lists that show operations without their descriptions. */
  readonly hide: number;
  /** Lists that take longer than a run. */
  readonly long: number;
  /** Polls that may send nothing, because there is no slot. */
  readonly noSlot: number;
}

export interface Holder {
  readonly token: string;
  readonly deadlineMs: number;
  readonly requestId: string;
  readonly record: RecordInSubmission;
  readonly findings: SendFindings;
  readonly tries: number;
}

export type Answer =
  | { readonly kind: 'OPERATION'; readonly name: string }
  | { readonly kind: 'USED' | 'FULL' | 'REFUSED' | 'UNANSWERED' };

export type Step =
  | { readonly at: 'ready' | 'done' }
  | {
      readonly at: 'searched';
      readonly seen: number;
      readonly record: RecordInSubmission;
      readonly search: EmptySearch | undefined;
    }
  | { readonly at: 'holding'; readonly holder: Holder }
  | { readonly at: 'answered'; readonly holder: Holder; readonly answer: Answer }
  | { readonly at: 'cancelling'; readonly operation: string };

export type Process = Step & { readonly kind: 'delivery' | 'poller'; readonly account: string };

export const at = (ms: number): Date => new Date(ms);

/** The operation as the Earth Engine client reads it. */
export function toOperation({ name, requestId, state, cancelRequested }: ModelOperation): Operation {
  const ended = state !== 'PENDING';
  return {
    name,
    done: ended,
    state: ended ? state : cancelRequested ? 'CANCELLING' : 'PENDING',
    type: 'EXPORT_VIDEO',
    description: requestId,
    progress: undefined,
    stage: undefined,
    units: undefined,
    runAttempt: undefined,
    destinationUris: [],
    eecuSeconds: undefined,
    createTime: undefined,
    startTime: undefined,
    endTime: undefined,
    error: undefined,
    hasResponse: state === 'SUCCEEDED',
  };
}

/** Fields that decide nothing: without them, many worlds are the same. */
const ignored = new Set([
  'revision',
  'updatedAt',
  'createdAt',
  'submittedAt',
  'history',
  'messageId',
  'labels',
  'contentHash',
  'description',
  'destination',
  'priority',
  'project',
  'jobKey',
  'attempt',
  'error',
  'outageSince',
  'finishedAt',
  'expireAt',
  'movedAt',
  'message',
  'token',
]);

/** How long a time in the past makes a difference. Searches are compared with each other, so theirs does for longer. */
const memoryMs: Readonly<Record<string, number>> = {
  dueAt: 0,
  leaseUntil: 0,
  deadlineMs: TICK_MS,
  sentAtMs: policy.absenceMs,
  cancelRequestedAt: 0,
  // Only the end of the deadline makes a difference, and LOST promises nothing: without this, too many worlds differ.
  unsettledSince: 0,
};

/** Counts that make a difference only up to a number. */
const smallest: Readonly<Record<string, (count: number) => number>> = {
  submissions: (count) => Math.min(count, 1),
  sends: (count) => Math.min(count, 1),
  waits: (count) => Math.min(count, 1),
};

/**
 * A world as a text that is equal for worlds with the same future: times are relative to now, a token counts only as
 * valid or not, and processes have no order.
 */
export function fingerprint(world: World): string {
  const { nowMs, record, version, processes } = world;
  const fromNow = (ms: number, name: string): number =>
    Math.max(ms - nowMs, -(memoryMs[name] ?? 3 * policy.absenceMs)) / TICK_MS;
  // Most of an exploration's time is spent here, so no intermediate values are made.
  const plain = (value: unknown, name: string): string => {
    if (name === 'sentUntil') {
      // Makes a difference only to a list that has begun.
      return world.list && (value as Date).getTime() <= world.list.startedAtMs ? '+' : '-';
    }
    if (typeof value === 'number') {
      return `${name.endsWith('Ms') ? fromNow(value, name) : (smallest[name]?.(value) ?? value)}`;
    }
    if (typeof value !== 'object' || value === null) {
      // No text of the model contains a space or a bracket.
      return String(value);
    }
    if (value instanceof Date) {
      return `${fromNow(value.getTime(), name)}`;
    }
    if (Array.isArray(value)) {
      return `[${value.map((item) => plain(item, '')).join(' ')}]`;
    }
    let fields = '{';
    for (const key in value) {
      const inner = (value as Readonly<Record<string, unknown>>)[key];
      if (inner !== undefined && !ignored.has(key)) {
        fields += `${key} ${plain(inner, key)} `;
      }
    }
    return `${fields}}`;
  };
  const holds = (process: Process): boolean =>
    (process.at === 'holding' || process.at === 'answered') &&
    record?.state === 'SUBMITTING' &&
    record.claim.token === process.holder.token;
  const texts = processes.map((process) => {
    if (process.at === 'searched' && process.seen !== version) {
      return `${process.kind} ${process.account} too late`;
    }
    const { ...facts } = process;
    const known = process.at === 'searched' ? { ...facts, seen: 0, record: 0 } : facts;
    return `${holds(process)} ${plain(known, '')}`;
  });
  const { ids, operations, inFlight, list } = world;
  const rest = { record, ids, operations, inFlight, list };
  return `${texts.sort().join('|')}|${plain(rest, '')}|${world.storedId}|${Object.values(world.budget).join(' ')}`;
}
