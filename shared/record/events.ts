import type { EventKind, ExportRecord, UnpublishedEvent } from '../model/record.ts';
import type { OutgoingMessage } from '../publisher.ts';

/** What the event topic reports about a record, and in which order an event is written and published. */

/** The event of a write, if any. `SUBMITTING` has none: it is internal, and no consumer can act on it. */
export function eventOf(
  previous: ExportRecord | undefined,
  next: ExportRecord,
): UnpublishedEvent | undefined {
  const kind = kindOf(previous, next);
  return kind && { kind, state: next.state, revision: next.revision, at: next.updatedAt };
}

function kindOf(previous: ExportRecord | undefined, next: ExportRecord): EventKind | undefined {
  if (next.state !== previous?.state) {
    return next.state === 'SUBMITTING' ? undefined : 'STATE';
  }
  if ((next.extraOperations?.length ?? 0) > (previous.extraOperations?.length ?? 0)) {
    return 'EXTRA_OPERATION';
  }
  if (next.state === 'SUCCEEDED' && previous.state === 'SUCCEEDED') {
    const changed =
      next.delivery?.state !== previous.delivery?.state || next.deliveredTo !== previous.deliveredTo;
    return changed ? 'DELIVERY' : undefined;
  }
  return 'stalledSince' in next &&
    next.stalledSince !== undefined &&
    !('stalledSince' in previous && previous.stalledSince)
    ? 'STALLED'
    : undefined;
}

/**
 * Whether this service decided the change: then the record is written first, and the event is pending until it is
 * published. What Earth Engine reports is a fact whether or not the write succeeds, so its event is published first.
 */
export function isOwnDecision(record: ExportRecord): boolean {
  switch (record.state) {
    case 'SUBMITTING':
    case 'WAITING':
    case 'REJECTED':
      return true;
    case 'CANCELLED':
    case 'LOST':
      return record.operation === undefined;
    case 'PENDING':
    case 'RUNNING':
    case 'CANCELLING':
    case 'SUCCEEDED':
    case 'FAILED':
      return false;
  }
}

/** Pub/Sub rejects a message with a longer value (https://cloud.google.com/pubsub/quotas#resource_limits). */
const MAX_ATTRIBUTE_BYTES = 1024;

/**
 * An event as a Pub/Sub message: attributes to filter by, and the record as JSON with ISO 8601 times. A value that is
 * too long for an attribute, such as a job key in UTF-8, is only in the data.
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
  if (record.state === 'SUCCEEDED' && record.delivery) {
    attributes['delivery'] = record.delivery.state;
  }
  const { unpublishedEvents: _pending, ...data } = record;
  return { data: Buffer.from(JSON.stringify(data)), attributes };
}
