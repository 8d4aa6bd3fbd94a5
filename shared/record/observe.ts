import { later } from '../clock.ts';
import { parseRequestId } from '../model/ids.ts';
import type { Operation } from '../earth-engine/api.ts';
import { sameOperation } from '../earth-engine/operation.ts';
import { type Moment, nextLook, type Policy } from './policy.ts';
import {
  type ActiveRecord,
  type ExportRecord,
  type RecordError,
  type RecordIn,
  type TerminalRecord,
  type UnsettledRecord,
} from '../model/record.ts';
import { carry, grow } from './transitions.ts';

/** What Earth Engine says of an operation, as the state of its record. */

/**
 * Progress is written when it moved so far: the rest of it is in EE for who wants to look. A hair less than a tenth, since
 * 0.3 - 0.2 is less than 0.1.
 */
const PROGRESS_STEP = 0.1 - 1e-9;

type OperationRecordState = 'PENDING' | 'RUNNING' | 'CANCELLING' | 'SUCCEEDED' | 'FAILED' | 'CANCELLED';

/** google.rpc.Code names, for operations that failed: EE gives the number alone. */
const RPC_CODES = [
  'OK',
  'CANCELLED',
  'UNKNOWN',
  'INVALID_ARGUMENT',
  'DEADLINE_EXCEEDED',
  'NOT_FOUND',
  'ALREADY_EXISTS',
  'PERMISSION_DENIED',
  'RESOURCE_EXHAUSTED',
  'FAILED_PRECONDITION',
  'ABORTED',
  'OUT_OF_RANGE',
  'UNIMPLEMENTED',
  'INTERNAL',
  'UNAVAILABLE',
  'DATA_LOSS',
  'UNAUTHENTICATED',
];

const CANCELLED_CODE = 1;

/**
 * The state that an operation is in. Where EE's own `state` is missing or unknown, the ending decides, and otherwise what
 * was recorded stays. All four endings are told apart: not done, done with a response, done with an error, and done with
 * neither, which is a success only where EE says so or names an output.
 */
export function stateOf(operation: Operation, recorded?: ActiveRecord['state']): OperationRecordState {
  if (operation.done) {
    if (operation.error) {
      return operation.error.code === CANCELLED_CODE || operation.state === 'CANCELLED'
        ? 'CANCELLED'
        : 'FAILED';
    }
    if (operation.state === 'CANCELLED' || operation.state === 'FAILED') {
      return operation.state;
    }
    return operation.hasResponse || operation.state === 'SUCCEEDED' || operation.destinationUris.length > 0
      ? 'SUCCEEDED'
      : 'FAILED';
  }
  switch (operation.state) {
    case 'PENDING':
    case 'RUNNING':
    case 'CANCELLING':
      return operation.state;
    // Ended by its state though `done` is missing: EE has sent operations without it.
    case 'SUCCEEDED':
    case 'FAILED':
    case 'CANCELLED':
      return operation.state;
    case 'UNKNOWN':
    case undefined:
      return recorded === undefined || recorded === 'PENDING'
        ? operation.startTime
          ? 'RUNNING'
          : 'PENDING'
        : recorded;
  }
}

/** Whether EE has ended it, whatever was recorded of it. */
export function hasEnded(operation: Operation): boolean {
  const state = stateOf(operation);
  return state === 'SUCCEEDED' || state === 'FAILED' || state === 'CANCELLED';
}

/** Why an operation failed. Whether running it again could help follows from what EE says, as far as it is known. */
export function operationError(operation: Operation): RecordError {
  const code = operation.error?.code ?? RPC_CODES.indexOf('UNKNOWN');
  const message =
    operation.error?.message ?? 'Earth Engine ended the operation with neither a response nor an error.';
  return {
    code,
    status: RPC_CODES[code] ?? 'UNKNOWN',
    message,
    retryable: !isDeterministic(message),
  };
}

/** Failures that the same graph meets again: memory, time and size (messages from field reports). */
function isDeterministic(message: string): boolean {
  return /memory|computation timed out|too large|maxpixels|too many pixels|invalid|not found|must be|required|unable to/i.test(
    message,
  );
}

/** The job has an operation: a fact, whoever learned it (rule 1). It ends the claim (rule 2). */
export function recordOperation(
  record: UnsettledRecord,
  operation: Operation,
  findings: {
    requestId: string;
    submissions: number;
    submittedAt: Date | undefined;
    serviceAccount?: string | undefined;
  },
  policy: Policy,
  moment: Moment,
  note?: string,
): ActiveRecord | TerminalRecord {
  const { now } = moment;
  const state = stateOf(operation);
  const carried = {
    ...carry(record, now, { state, note }),
    requestId: findings.requestId,
    submissions: findings.submissions,
    submittedAt: findings.submittedAt ?? now,
    ...(findings.serviceAccount === undefined ? {} : { serviceAccount: findings.serviceAccount }),
  };
  const view = viewOf(operation);
  if (state === 'PENDING' || state === 'RUNNING' || state === 'CANCELLING') {
    return {
      ...carried,
      ...view,
      state,
      generation: record.generation,
      movedAt: now,
      dueAt: nextLook(policy, state, now, moment),
    };
  }
  return ended(carried, view, state, operation, policy, now);
}

function viewOf(operation: Operation) {
  return {
    operation: operation.name,
    progress: operation.progress,
    stage: operation.stage,
    units: operation.units,
    runAttempt: operation.runAttempt,
    startedAt: operation.startTime,
    eecuSeconds: operation.eecuSeconds,
  };
}

function ended(
  carried: ReturnType<typeof carry>,
  view: Omit<ReturnType<typeof viewOf>, 'units'>,
  state: 'SUCCEEDED' | 'FAILED' | 'CANCELLED',
  operation: Operation,
  policy: Policy,
  now: Date,
): TerminalRecord {
  const end = {
    ...carried,
    operation: view.operation,
    progress: view.progress,
    stage: view.stage,
    runAttempt: view.runAttempt,
    startedAt: view.startedAt,
    eecuSeconds: view.eecuSeconds,
    finishedAt: operation.endTime ?? now,
    expireAt: later(now, policy.retentionMs),
  };
  switch (state) {
    case 'SUCCEEDED':
      return { ...end, state, progress: 1, outputUris: [...operation.destinationUris] };
    case 'FAILED':
      return { ...end, state, error: operationError(operation) };
    case 'CANCELLED':
      return {
        ...end,
        state,
        error: {
          code: CANCELLED_CODE,
          status: 'CANCELLED',
          message: operation.error?.message ?? 'Cancelled.',
          retryable: true,
        },
      };
  }
}

/**
 * What EE says now of a record's operation; undefined where that is not worth a write: the state is the same, progress
 * moved by less than a tenth and the watchdog has nothing to say.
 *
 * @param asked whether EE was asked for this one because it fell due: then it gets a new time in any case
 */
export function observe(
  record: ActiveRecord,
  operation: Operation,
  policy: Policy,
  moment: Moment,
  asked: boolean,
): ActiveRecord | TerminalRecord | undefined {
  const { now } = moment;
  const state = stateOf(operation, record.state);
  // Under the name that it was recorded by, whatever EE calls its project now.
  const seen = { ...keep(record), ...defined(viewOf(operation)), operation: record.operation };
  if (state === 'SUCCEEDED' || state === 'FAILED' || state === 'CANCELLED') {
    return ended(carry(record, now, { state }), seen, state, operation, policy, now);
  }
  // A new run starts from nothing: going back is moving too.
  const moved =
    state !== record.state ||
    (operation.runAttempt ?? record.runAttempt) !== record.runAttempt ||
    (operation.progress ?? record.progress) !== record.progress ||
    (operation.units ?? record.units) !== record.units;
  const worthTelling =
    state !== record.state ||
    Math.abs((operation.progress ?? record.progress ?? 0) - (record.progress ?? 0)) >= PROGRESS_STEP ||
    (operation.runAttempt ?? record.runAttempt ?? 1) !== (record.runAttempt ?? 1) ||
    // Small steps count as life too, or a slow operation would look stalled.
    (moved && now.getTime() - record.movedAt.getTime() >= policy.stalledMs / 4);
  const stalled =
    !moved &&
    state === 'RUNNING' &&
    record.stalledSince === undefined &&
    now.getTime() - record.movedAt.getTime() >= policy.stalledMs;
  if (!worthTelling && !stalled && !asked && record.missingSince === undefined) {
    return undefined;
  }
  const { missingSince: _found, ...rest } = record;
  return {
    ...rest,
    ...carry(record, now, state === record.state ? undefined : { state }),
    ...seen,
    state,
    movedAt: moved ? now : record.movedAt,
    stalledSince: stalled ? record.movedAt : moved ? undefined : record.stalledSince,
    dueAt: nextLook(policy, state, lastChange(record, state, now), moment),
  };
}

const lastChange = (record: ActiveRecord, state: string, now: Date): Date =>
  state === record.state ? (record.history.findLast((entry) => entry.state === state)?.at ?? now) : now;

/** EE sends fewer fields at times; what was known stays. */
function keep(record: ActiveRecord) {
  const { operation, progress, stage, units, runAttempt, startedAt, eecuSeconds } = record;
  return { operation, progress, stage, units, runAttempt, startedAt, eecuSeconds };
}

function defined<T extends object>(fields: T): Partial<T> & Pick<T, Extract<'operation', keyof T>> {
  return Object.fromEntries(Object.entries(fields).filter(([, value]) => value !== undefined)) as never;
}

/** EE does not know the operation, for the first time. */
export function noteMissing(record: ActiveRecord, policy: Policy, now: Date): ActiveRecord {
  return {
    ...record,
    ...carry(record, now, { state: record.state, note: 'Earth Engine does not know it' }),
    state: record.state,
    missingSince: now,
    dueAt: later(now, policy.absenceMs),
  };
}

/** Whether a 404 now, after a complete list without the operation, is the second one that counts (rule 10). */
export function isLostOn404(record: ActiveRecord, policy: Policy, now: Date): boolean {
  return (
    record.missingSince !== undefined && now.getTime() - record.missingSince.getTime() >= policy.absenceMs
  );
}

/** EE no longer knows the operation (rule 10): what became of it cannot be told. */
export function lose(record: ActiveRecord, policy: Policy, now: Date): RecordIn<'LOST'> {
  const { operation, progress, stage, runAttempt, startedAt, eecuSeconds } = record;
  return {
    ...carry(record, now, { state: 'LOST' }),
    operation,
    progress,
    stage,
    runAttempt,
    startedAt,
    eecuSeconds,
    state: 'LOST',
    error: {
      code: 404,
      status: 'NOT_FOUND',
      message:
        'Earth Engine no longer knows the operation, and no list of the project has it. Look for its output.',
      retryable: true,
    },
    finishedAt: now,
    expireAt: later(now, policy.retentionMs),
  };
}

/**
 * Another operation with this record's marker (rule 9).
 *
 * @param cancelledAt when it was cancelled at EE; absent where it is only told of
 */
export function noteExtraOperation(
  record: ExportRecord,
  extra: { operation: string; requestId: string; cancelledAt?: Date | undefined },
  now: Date,
): ExportRecord {
  const others = (record.extraOperations ?? []).filter(
    (known) => !sameOperation(known.operation, extra.operation),
  );
  return {
    ...record,
    revision: record.revision + 1,
    updatedAt: now,
    extraOperations: [...others, { ...extra, seenAt: now }],
    history: grow(record.history, {
      state: record.state,
      at: now,
      note: `extra operation ${extra.operation}`,
    }),
  };
}

/**
 * Whether an extra operation is to be cancelled: it is another generation's, which this record sent, or nobody wants any
 * (the record was cancelled before it had one). The record's own and its double are so never both cancelled. Anybody can
 * write a marker into a description: only of what this record can have sent is it believed.
 */
export function isOursToCancel(record: ExportRecord, extraRequestId: string): boolean {
  if (!canHaveSent(record, extraRequestId)) {
    return false;
  }
  return 'operation' in record && record.operation !== undefined
    ? extraRequestId !== record.requestId
    : record.state === 'CANCELLED';
}

/**
 * Nothing is sent without a claim, and the history has every record's first. The count of submissions would not do: a
 * holder that dies after a send has not counted it.
 */
function canHaveSent(record: ExportRecord, requestId: string): boolean {
  const own = parseRequestId(record.requestId);
  const extra = parseRequestId(requestId);
  return (
    record.history.some((entry) => entry.state === 'SUBMITTING') &&
    extra?.recordId === own?.recordId &&
    extra !== undefined &&
    extra.generation <= sentGenerations(record)
  );
}

/** What it sent at least; the exact number is kept until it ends. */
const sentGenerations = (record: ExportRecord): number =>
  'generation' in record ? record.generation : (parseRequestId(record.requestId)?.generation ?? 1);
