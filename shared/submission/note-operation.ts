import type { Operation } from '../earth-engine/api.ts';
import { EarthEngineError } from '../earth-engine/api.ts';
import { sameOperation } from '../earth-engine/operation.ts';
import { isOursToCancel, noteExtraOperation } from '../record/extra-operations.ts';
import { observe, recordOperation } from '../record/observe.ts';
import { hasEnded } from '../record/operation-state.ts';
import { type Moment, type Policy } from '../record/policy.ts';
import { type ExportRecord, isActive, isInSubmission } from '../model/record.ts';
import { markDue, type SendFindings } from '../record/transitions.ts';
import { updateRecord, type UpdateResult } from '../records.ts';
import type { Services } from '../services.ts';
import type { Stored } from '../store/store.ts';

/** Recording an operation: it is a fact, no matter which process finds it, and which one holds the claim (rule 1). */

export interface FoundOperation {
  readonly operation: Operation;
  readonly requestId: string;
  /** If a sender found it: what to write with it, as long as that sender still holds the claim. */
  readonly sender?: {
    readonly token: string;
    readonly findings: SendFindings;
    readonly serviceAccount: string | undefined;
  };
  /** The operation was requested individually because its record was due. */
  readonly wasDue?: boolean;
  /** When the request was made, or when the list that shows it began: the operation may be that old. */
  readonly asOf?: Date;
  readonly note?: string;
}

type FoundServices = Pick<
  Services,
  'store' | 'publisher' | 'config' | 'policy' | 'clock' | 'random' | 'log' | 'earthEngine' | 'stopping'
>;

/**
 * Records the operation, updates its record, or notes it as extra; then cancels it at Earth Engine if that was
 * requested.
 *
 * @throws EarthEngineError when the cancellation failed: the record is written nevertheless, and due
 */
export async function noteOperation(
  services: FoundServices,
  stored: Stored<ExportRecord>,
  found: FoundOperation,
): Promise<UpdateResult> {
  const { clock, policy, random } = services;
  const moment: Moment = { now: clock.now(), random: random() };
  const result = await updateRecord(services, stored, (record) =>
    afterOperation(record, found, policy, moment),
  );
  if (shouldCancel(result.stored.value, found)) {
    try {
      await cancelAtEarthEngine(services, found.operation.name, stored.value.project);
    } catch (error) {
      // Otherwise, it might be repeated only at the next individual check, up to POLL_MAX_SECONDS later.
      await markDueAtOnce(services, result.stored);
      throw error;
    }
  }
  return result;
}

/** Makes a record due, because what must follow a write failed, or the write itself (rule 12). Logs if that fails, too. */
export async function markDueAtOnce(services: FoundServices, stored: Stored<ExportRecord>): Promise<void> {
  const now = services.clock.now();
  try {
    await updateRecord(services, stored, (record) =>
      (record.state === 'WAITING' || isActive(record)) && record.dueAt > now
        ? markDue(record, now)
        : undefined,
    );
  } catch (error) {
    services.log.error('record.not_due', error, { recordId: stored.id });
  }
}

/** The record once the operation is known; undefined if nothing changes. */
export function afterOperation(
  record: ExportRecord,
  found: FoundOperation,
  policy: Policy,
  moment: Moment,
): ExportRecord | undefined {
  const { operation, requestId } = found;
  if (isInSubmission(record)) {
    return recordOperation(record, operation, findingsOf(record, found), policy, moment, found.note);
  }
  if (isOwn(record, operation)) {
    if (!isActive(record)) {
      return undefined;
    }
    if (isOutdated(record, found)) {
      return undefined;
    }
    // Another run may have checked it meanwhile.
    const isDue = found.wasDue === true && record.dueAt <= moment.now;
    return observe(record, operation, policy, moment, isDue);
  }
  const known = record.extraOperations?.some((extra) => sameOperation(extra.operation, operation.name));
  if (known) {
    return undefined;
  }
  const cancelledAt = !operation.done && isOursToCancel(record, requestId) ? moment.now : undefined;
  return noteExtraOperation(record, { operation: operation.name, requestId, cancelledAt }, moment.now);
}

/**
 * Whether the record was written after the request was made: then another run may have recorded a newer state, and the
 * operation would seem to go back. An ending is never outdated.
 */
export function isOutdated(
  record: ExportRecord,
  { operation, asOf }: Pick<FoundOperation, 'operation' | 'asOf'>,
): boolean {
  return asOf !== undefined && asOf < record.updatedAt && !hasEnded(operation);
}

const isOwn = (record: ExportRecord, { name }: Operation): boolean =>
  'operation' in record && record.operation !== undefined && sameOperation(record.operation, name);

function findingsOf(record: ExportRecord & { state: 'SUBMITTING' | 'WAITING' }, found: FoundOperation) {
  const { sender, requestId } = found;
  const isHolder =
    sender !== undefined && record.state === 'SUBMITTING' && record.claim.token === sender.token;
  return {
    requestId,
    // Found by another process while a sender holds the claim: that sender sent it, and cannot count it any more.
    submissions:
      record.submissions + (isHolder ? sender.findings.sends : record.state === 'SUBMITTING' ? 1 : 0),
    serviceAccount: sender?.serviceAccount,
  };
}

/** While it runs: the record's own operation if a cancellation was requested, a duplicate if it is ours to cancel. */
export function shouldCancel(record: ExportRecord, { operation, requestId }: FoundOperation): boolean {
  if (operation.done || operation.state === 'CANCELLING') {
    return false;
  }
  if (isOwn(record, operation)) {
    return isActive(record) && record.state !== 'CANCELLING' && record.cancelRequestedAt !== undefined;
  }
  return isOursToCancel(record, requestId);
}

const CANCEL_TIMEOUT_MS = 15_000;

/** Cancels an operation at Earth Engine. One that is unknown there, or has ended, needs no cancellation. */
export async function cancelAtEarthEngine(
  { earthEngine, log, stopping }: Pick<Services, 'earthEngine' | 'log' | 'stopping'>,
  operation: string,
  project: string,
): Promise<void> {
  try {
    const options = { timeoutMs: CANCEL_TIMEOUT_MS, signal: stopping, project };
    await earthEngine.cancelOperation(operation, options);
    log.info('operation.cancelled', { operation });
  } catch (error) {
    const gone =
      error instanceof EarthEngineError && (error.kind === 'NOT_FOUND' || error.kind === 'REFUSED');
    if (!gone) {
      throw error;
    }
  }
}
