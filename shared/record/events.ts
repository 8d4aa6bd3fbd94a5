import type { EventKind, ExportRecord, RecordState, UnpublishedEvent } from '../model/record.ts';
import type { OutgoingMessage } from '../publisher.ts';

/** Says what a consumer of the event topic is told, and when it must be written before it is told. */

/**
 * The news in a write, if any. `SUBMITTING` is our own affair: nobody outside can do anything with it.
 */
export function newsOf(previous: ExportRecord | undefined, next: ExportRecord): UnpublishedEvent | undefined {
  const kind = newsKind(previous, next);
  return kind && { kind, state: next.state, revision: next.revision, at: next.updatedAt };
}

function newsKind(previous: ExportRecord | undefined, next: ExportRecord): EventKind | undefined {
  if (next.state !== previous?.state) {
    return next.state === 'SUBMITTING' ? undefined : 'STATE';
  }
  if ((next.extraOperations?.length ?? 0) > (previous.extraOperations?.length ?? 0)) {
    return 'EXTRA_OPERATION';
  }
  return 'stalledSince' in next &&
    next.stalledSince !== undefined &&
    !('stalledSince' in previous && previous.stalledSince)
    ? 'STALLED'
    : undefined;
}

/**
 * Whether the news is our own decision: then the record is written first, and the event is owed until it is published.
 * What EE says is a fact whether or not our write succeeds, and is published first.
 */
export function isOwnDecision(record: ExportRecord): boolean {
  const own: readonly RecordState[] = ['SUBMITTING', 'WAITING', 'REJECTED'];
  return own.includes(record.state) || (record.state === 'CANCELLED' && record.operation === undefined);
}

/** Pub/Sub refuses a message with a longer value (https://cloud.google.com/pubsub/quotas#resource_limits). */
const MAX_ATTRIBUTE_BYTES = 1024;

/**
 * An event as a Pub/Sub message: attributes to filter by, the record as JSON with ISO 8601 times. What is too long for an
 * attribute, as a job key may be in UTF-8, is in the data alone.
 */
export function eventMessage(
  recordId: string,
  record: ExportRecord,
  event: UnpublishedEvent,
): OutgoingMessage {
  const attributes: Record<string, string> = {
    eventId: `${recordId}:${event.revision}:${event.state}`,
    kind: event.kind,
    recordId,
    state: event.state,
    project: record.project,
  };
  for (const name of ['jobKey', 'batchId'] as const) {
    const value = record[name];
    if (value !== undefined && Buffer.byteLength(value) <= MAX_ATTRIBUTE_BYTES) {
      attributes[name] = value;
    }
  }
  const { unpublishedEvents: _owed, ...told } = record;
  return { data: Buffer.from(JSON.stringify(told)), attributes };
}
