import { later } from '../clock.ts';
import type { Operation } from '../earth-engine/api.ts';
import {
  type ActiveRecord,
  type ObservedField,
  observedFields,
  type RecordIn,
  type RecordInSubmission,
  type TerminalRecord,
} from '../model/record.ts';
import { firstDelivery } from './delivery.ts';
import { carry, pick } from './carry.ts';
import { operationError, stateOf } from './operation-state.ts';
import { type Moment, nextCheck, type Policy, untilCanceled } from './policy.ts';

/** The transitions that follow what Earth Engine reports about an operation. */

/** Progress is written once it moved by a tenth. A hair less, since 0.3 - 0.2 is less than 0.1. */
const PROGRESS_STEP = 0.1 - 1e-9;

/** The job has an operation. That is a fact, no matter which process found it (rule 1), and it ends the claim (rule 2). */
export function recordOperation(
  record: RecordInSubmission,
  operation: Operation,
  findings: {
    requestId: string;
    submissions: number;
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
    submittedAt: acceptedAt(record, operation, now),
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
      dueAt: dueOf(record, state, now, policy, moment),
    };
  }
  return ended(carried, view, state, operation, policy, now);
}

/** Earth Engine's own time, which is the earlier one if the operation was found later. Its clock may differ from ours. */
function acceptedAt({ createdAt }: RecordInSubmission, { createTime }: Operation, now: Date): Date {
  return createTime && createTime >= createdAt && createTime <= now ? createTime : now;
}

/** Every observed field, as the operation shows it. A new field does not compile until it is read here. */
type View = { readonly [Field in ObservedField | 'units']: ActiveRecord[Field] };

const viewOf = (operation: Operation): View => ({
  operation: operation.name,
  progress: operation.progress,
  stage: operation.stage,
  units: operation.units,
  runAttempt: operation.runAttempt,
  startedAt: operation.startTime,
  eecuSeconds: operation.eecuSeconds,
});

function ended(
  carried: ReturnType<typeof carry>,
  view: Pick<ActiveRecord, ObservedField>,
  state: 'SUCCEEDED' | 'FAILED' | 'CANCELLED',
  operation: Operation,
  policy: Policy,
  now: Date,
): TerminalRecord {
  const end = {
    ...carried,
    ...pick(view, observedFields),
    ...(lacksFinalCost(view, state, operation) ? { eecuIsLowerBound: true } : {}),
    finishedAt: operation.endTime ?? now,
    expireAt: later(now, policy.retentionMs),
  };
  return state === 'SUCCEEDED'
    ? {
        ...end,
        state,
        progress: 1,
        outputUris: [...operation.destinationUris],
        ...firstDelivery(carried.destination, policy, now),
      }
    : { ...end, state, error: operationError(operation, state, carried.cancelReason) };
}

/** Earth Engine reports no cost of an operation that failed (guides/computation_overview), whatever it had cost by then. */
const lacksFinalCost = (
  { eecuSeconds }: Pick<ActiveRecord, 'eecuSeconds'>,
  state: TerminalRecord['state'],
  operation: Operation,
): boolean => operation.eecuSeconds === undefined && (eecuSeconds !== undefined || state === 'FAILED');

/**
 * The record after Earth Engine reported its operation; undefined if that is not worth a write: the state is the same,
 * progress moved by less than a tenth, and the record has not just stalled.
 *
 * @param wasDue whether the operation was requested because the record was due: then it gets a new due time in any case
 */
export function observe(
  record: ActiveRecord,
  operation: Operation,
  policy: Policy,
  moment: Moment,
  wasDue: boolean,
): ActiveRecord | TerminalRecord | undefined {
  const { now } = moment;
  const state = stateOf(operation, record.state);
  // Earth Engine leaves fields out at times: then the known value stays. The operation keeps the name that it was
  // recorded under, whatever Earth Engine calls its project now.
  const known = pick(record, [...observedFields, 'units']);
  const view = { ...known, ...defined(viewOf(operation)), operation: record.operation };
  if (state === 'SUCCEEDED' || state === 'FAILED' || state === 'CANCELLED') {
    return ended(carry(record, now, { state }), view, state, operation, policy, now);
  }
  // Going back counts as movement too: a new run starts from nothing.
  const moved =
    state !== record.state ||
    view.runAttempt !== record.runAttempt ||
    view.progress !== record.progress ||
    view.units !== record.units;
  const worthWriting =
    state !== record.state ||
    Math.abs((view.progress ?? 0) - (record.progress ?? 0)) >= PROGRESS_STEP ||
    (view.runAttempt ?? 1) !== (record.runAttempt ?? 1) ||
    // Small steps are signs of life too; without them, a slow operation would look stalled.
    (moved && now.getTime() - record.movedAt.getTime() >= policy.stalledMs / 4);
  const stalled =
    !moved &&
    state === 'RUNNING' &&
    record.stalledSince === undefined &&
    now.getTime() - record.movedAt.getTime() >= policy.stalledMs;
  if (!worthWriting && !stalled && !wasDue && record.missingSince === undefined) {
    return undefined;
  }
  const { missingSince: _found, ...rest } = record;
  return {
    ...rest,
    ...carry(record, now, state === record.state ? undefined : { state }),
    ...view,
    state,
    movedAt: moved ? now : record.movedAt,
    stalledSince: stalled ? record.movedAt : moved ? undefined : record.stalledSince,
    dueAt: dueOf(record, state, lastChange(record, state, now), policy, moment),
  };
}

/** When the operation is requested individually next, if sweeps do not show how it goes on. */
function dueOf(
  { cancelRequestedAt }: RecordInSubmission | ActiveRecord,
  state: ActiveRecord['state'],
  since: Date,
  policy: Policy,
  moment: Moment,
): Date {
  const dueAt = nextCheck(policy, state, since, moment);
  return cancelRequestedAt === undefined || state === 'CANCELLING' ? dueAt : untilCanceled(dueAt, moment.now);
}

const lastChange = (record: ActiveRecord, state: string, now: Date): Date =>
  state === record.state ? (record.history.findLast((entry) => entry.state === state)?.at ?? now) : now;

const defined = <T extends object>(fields: T): Partial<T> =>
  Object.fromEntries(Object.entries(fields).filter(([, value]) => value !== undefined)) as Partial<T>;

/** Earth Engine does not know the operation, for the first time. */
export function noteMissing(record: ActiveRecord, policy: Policy, now: Date): ActiveRecord {
  return {
    ...record,
    ...carry(record, now, { state: record.state, note: 'Earth Engine does not know the operation' }),
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

/** Earth Engine no longer knows the operation (rule 10), so its outcome is unknown. */
export function lose(record: ActiveRecord, policy: Policy, now: Date): RecordIn<'LOST'> {
  return {
    ...carry(record, now, { state: 'LOST' }),
    ...pick(record, observedFields),
    ...(record.eecuSeconds === undefined ? {} : { eecuIsLowerBound: true }),
    state: 'LOST',
    error: {
      code: 404,
      status: 'NOT_FOUND',
      message:
        'Earth Engine no longer knows the operation, and no list of the project shows it. Check whether its output exists.',
      retryable: true,
    },
    finishedAt: now,
    expireAt: later(now, policy.retentionMs),
  };
}
