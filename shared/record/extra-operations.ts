import { sameOperation } from '../earth-engine/operation.ts';
import { parseRequestId } from '../model/ids.ts';
import { type ExportRecord, isTerminal } from '../model/record.ts';
import { grow } from './carry.ts';

/**
 * Notes another operation that carries this record's marker (rule 9).
 *
 * @param extra `cancelledAt` is when it was canceled at Earth Engine; absent if it is only reported
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
 * Whether this service may cancel an extra operation: it belongs to another generation that this record sent, or the
 * record ended without an operation after its cancellation was requested. So a record's own operation and its duplicate are never both
 * canceled. Anyone can write a marker into a description, so the marker counts only for a requestId that this record
 * can have sent.
 */
export function isOursToCancel(record: ExportRecord, extraRequestId: string): boolean {
  if (!canHaveSent(record, extraRequestId)) {
    return false;
  }
  return 'operation' in record && record.operation !== undefined
    ? extraRequestId !== record.requestId
    : isTerminal(record) && record.cancelRequestedAt !== undefined;
}

/**
 * Nothing is sent without a claim, and the history keeps the first claim of every record. The count of submissions
 * would not be enough: a holder that dies after a send has not counted it.
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

/** The number of generations that it sent at least; the record keeps the exact number until it ends. */
const sentGenerations = (record: ExportRecord): number =>
  'generation' in record ? record.generation : (parseRequestId(record.requestId)?.generation ?? 1);
