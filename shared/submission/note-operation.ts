import type { Operation } from '../earth-engine/api.ts';
import { EarthEngineError } from '../earth-engine/api.ts';
import { sameOperation } from '../earth-engine/operation.ts';
import { isOursToCancel, noteExtraOperation } from '../record/extra-operations.ts';
import { observe, recordOperation } from '../record/observe.ts';
import { hasEnded } from '../record/operation-state.ts';
import { type Moment, type Policy } from '../record/policy.ts';
import { type ExportRecord, isActive, isInSubmission } from '../model/record.ts';
import type { SendFindings } from '../record/transitions.ts';
import { updateRecord } from '../records.ts';
import type { Services } from '../services.ts';
import type { Stored } from '../store/store.ts';

/**
 * An operation of a record is known: from EE's answer, a search or a sweep. That it exists is a fact, whoever learned it
 * and whoever holds the claim now (rule 1).
 */

export interface FoundOperation {
  readonly operation: Operation;
  readonly requestId: string;
  /** Where a sender found it: what to write with it, if it still holds the claim. */
  readonly sender?: {
    readonly token: string;
    readonly findings: SendFindings;
    readonly serviceAccount: string | undefined;
  };
  /** EE was asked for this one because it fell due. */
  readonly asked?: boolean;
  /** When EE was asked, or the list that shows it began: what it says may be as old. */
  readonly asOf?: Date;
  readonly note?: string;
}

type FoundServices = Pick<
  Services,
  'store' | 'publisher' | 'config' | 'policy' | 'clock' | 'random' | 'log' | 'earthEngine' | 'stopping'
>;

export interface Noted {
  readonly stored: Stored<ExportRecord>;
  readonly written: boolean;
}

/**
 * Records it, follows it, or notes it as extra; then cancels it at EE where that was asked for.
 *
 * @throws EarthEngineError when a cancellation did not get through: the record is written all the same
 */
export async function noteOperation(
  services: FoundServices,
  stored: Stored<ExportRecord>,
  found: FoundOperation,
): Promise<Noted> {
  const { clock, policy, random } = services;
  const moment: Moment = { now: clock.now(), random: random() };
  const result = await updateRecord(services, stored, (record) =>
    afterOperation(record, found, policy, moment),
  );
  if (wantsCancelling(result.stored.value, found)) {
    await cancelAtEarthEngine(services, found.operation.name, stored.value.project);
  }
  return result;
}

/** The record as it is once the operation is known; undefined where it says so already. */
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
    // Another run may have asked for it meanwhile.
    const asked = found.asked === true && record.dueAt <= moment.now;
    return observe(record, operation, policy, moment, asked);
  }
  const known = record.extraOperations?.some((extra) => sameOperation(extra.operation, operation.name));
  if (known) {
    return undefined;
  }
  const cancelledAt = !operation.done && isOursToCancel(record, requestId) ? moment.now : undefined;
  return noteExtraOperation(record, { operation: operation.name, requestId, cancelledAt }, moment.now);
}

/**
 * Whether a record was written after EE was asked: another run may have recorded what is newer, and its operation would
 * seem to go back. An ending cannot be older than anything.
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
    // Whoever else learns of it while somebody holds the claim: that one sent it, and will not get to count it.
    submissions:
      record.submissions + (isHolder ? sender.findings.sends : record.state === 'SUBMITTING' ? 1 : 0),
    submittedAt: record.submittedAt ?? sender?.findings.firstSentAt,
    serviceAccount: sender?.serviceAccount,
  };
}

/** The record's own when its cancellation was asked for; a double when it is ours to cancel. Only while it runs. */
export function wantsCancelling(record: ExportRecord, { operation, requestId }: FoundOperation): boolean {
  if (operation.done || operation.state === 'CANCELLING') {
    return false;
  }
  if (isOwn(record, operation)) {
    return isActive(record) && record.state !== 'CANCELLING' && record.cancelRequestedAt !== undefined;
  }
  return isOursToCancel(record, requestId);
}

const CANCEL_TIMEOUT_MS = 15_000;

/** Cancels an operation at EE. One that EE does not know any more, or that has ended, needs no cancelling. */
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
