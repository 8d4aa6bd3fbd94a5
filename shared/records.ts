import pMap from 'p-map';

import { DAY_MS, later } from './clock.ts';
import { ServiceError, StaleWriteError } from './errors.ts';
import type { Services } from './services.ts';
import { type Created, isReadable, type Stored } from './store/store.ts';
import { eventMessage, eventOf, isOwnDecision } from './record/events.ts';
import { type ExportRecord, isActive, recordSchema, type UnpublishedEvent } from './model/record.ts';

/**
 * The only writer of records. A decision becomes a conditional write and an event on the event topic, as a
 * transactional outbox: an event that could not be published yet stays on the record in `unpublishedEvents`, and the
 * poller flushes it.
 */

/** If the topic does not accept an event within this time, the event becomes pending and the record does not wait. */
const EVENT_TIMEOUT_MS = 2000;

/** After this many conflicts, another read will not help. */
const MAX_REREADS = 8;

const WRITERS = 16;

/** Earth Engine ends longer tasks (https://developers.google.com/earth-engine/guides/processing_environments). */
const TASK_LIFETIME_MS = 10 * DAY_MS;

type WriteServices = Pick<Services, 'store' | 'publisher' | 'config' | 'clock' | 'log'>;

/** The record after a call, and whether this call wrote it. */
export interface UpdateResult {
  readonly stored: Stored<ExportRecord>;
  readonly written: boolean;
}

/**
 * Creates a record, with its event.
 *
 * @param request the exact bytes to send, written in the same commit; absent for a record without a request
 * @returns the created record, or the existing one with this id
 */
export async function createRecord(
  services: WriteServices,
  recordId: string,
  record: ExportRecord,
  request?: Uint8Array,
): Promise<Created<ExportRecord>> {
  const event = eventOf(undefined, record);
  const outcome = await services.store.records.create(
    recordId,
    event ? withPending(record, event) : record,
    request,
  );
  return 'created' in outcome ? { created: await flushed(services, outcome.created) } : outcome;
}

/**
 * Decides on the current record and writes the decision only if the record has not changed since; otherwise reads it
 * and decides again. `decide` is pure: it may run several times.
 *
 * @param decide returns the next record; undefined if there is nothing to do (any more)
 * @param request new request bytes, written in the same commit
 * @throws StaleWriteError when the record is gone
 */
export async function updateRecord(
  services: WriteServices,
  stored: Stored<ExportRecord>,
  decide: (record: ExportRecord) => ExportRecord | undefined,
  request?: Uint8Array,
): Promise<UpdateResult> {
  let current = stored;
  for (let reread = 0; ; reread += 1) {
    const next = decide(current.value);
    if (next === undefined) {
      return { stored: current, written: false };
    }
    try {
      return { stored: await replaceRecord(services, current, next, request), written: true };
    } catch (error) {
      if (!(error instanceof StaleWriteError) || reread >= MAX_REREADS) {
        throw error;
      }
      current = await readAgain(services, current.id, error);
    }
  }
}

async function readAgain(
  { store }: WriteServices,
  id: string,
  stale: StaleWriteError,
): Promise<Stored<ExportRecord>> {
  const found = await store.records.get(id);
  if (found === undefined) {
    throw stale;
  }
  if (!isReadable(found)) {
    throw found.unreadable;
  }
  return found;
}

/**
 * One conditional write and its event, which is published before the write if Earth Engine reported the change, and
 * after the write if this service decided it.
 *
 * @throws StaleWriteError when the record was written or deleted since it was read
 */
export async function replaceRecord(
  services: WriteServices,
  stored: Stored<ExportRecord>,
  next: ExportRecord,
  request?: Uint8Array,
): Promise<Stored<ExportRecord>> {
  const { store } = services;
  const event = eventOf(stored.value, next);
  if (event === undefined) {
    return store.records.replace(stored, recordSchema.parse(next), request);
  }
  if (isOwnDecision(next)) {
    const written = await store.records.replace(
      stored,
      recordSchema.parse(withPending(next, event)),
      request,
    );
    logEvent(services, stored.id, next, event);
    return flushed(services, written);
  }
  const unpublished = await publish(services, [{ recordId: stored.id, record: next, event }]);
  const record = unpublished.size === 0 ? next : withPending(next, event);
  const written = await store.records.replace(stored, recordSchema.parse(record), request);
  logEvent(services, stored.id, next, event);
  return written;
}

/** Publishes a record's pending events now if the topic accepts them; otherwise the poller retries. */
async function flushed(
  services: WriteServices,
  written: Stored<ExportRecord>,
): Promise<Stored<ExportRecord>> {
  const { stored } = await flushEvents(services, [written]);
  return stored[0] ?? written;
}

/**
 * Publishes the pending events of several records together. An event that fails stays pending, and the poller retries
 * it.
 *
 * @returns the records afterwards, in their order, and whether the topic accepts nothing for now: then stop trying
 */
export async function flushEvents(
  services: WriteServices,
  records: readonly Stored<ExportRecord>[],
): Promise<{ stored: Stored<ExportRecord>[]; isTopicDown: boolean }> {
  const events = records.flatMap(({ id, value }) =>
    (value.unpublishedEvents ?? []).map((event) => ({ recordId: id, record: value, event })),
  );
  if (events.length === 0) {
    return { stored: [...records], isTopicDown: false };
  }
  const unpublished = await publish(services, events);
  const stored = await pMap(
    records,
    (one) =>
      one.value.unpublishedEvents === undefined || unpublished.has(one.id)
        ? one
        : withoutPendingEvents(services, one),
    { concurrency: WRITERS },
  );
  return { stored, isTopicDown: [...unpublished.values()].some(isTopicFault) };
}

/** Any other failure may be specific to the message. If the topic fails, the publisher pauses it for a while. */
const isTopicFault = (error: Error): boolean =>
  error instanceof ServiceError && (error.code === 'PUBLISH_PAUSED' || error.code === 'PUBLISH_TIMEOUT');

async function withoutPendingEvents(
  { store, clock }: WriteServices,
  stored: Stored<ExportRecord>,
): Promise<Stored<ExportRecord>> {
  try {
    const { unpublishedEvents: _published, ...rest } = stored.value;
    return await store.records.replace(stored, {
      ...rest,
      revision: rest.revision + 1,
      updatedAt: clock.now(),
    });
  } catch (error) {
    if (error instanceof StaleWriteError) {
      // Another writer changed the record meanwhile: the event stays pending and is published twice, with one eventId.
      return stored;
    }
    throw error;
  }
}

const withPending = (record: ExportRecord, event: UnpublishedEvent): ExportRecord => ({
  ...record,
  unpublishedEvents: [...(record.unpublishedEvents ?? []), event],
});

/** @returns by id, the records with an event that was not published, and why */
async function publish(
  services: WriteServices,
  events: readonly { recordId: string; record: ExportRecord; event: UnpublishedEvent }[],
): Promise<Map<string, Error>> {
  const messages = events.map(({ recordId, record, event }) => eventMessage(recordId, record, event));
  const outcomes = await services.publisher.publish(
    services.config.topics.events,
    messages,
    EVENT_TIMEOUT_MS,
  );
  const unpublished = new Map<string, Error>();
  for (const [n, outcome] of outcomes.entries()) {
    const recordId = events[n]?.recordId;
    if (recordId !== undefined && 'error' in outcome && !unpublished.has(recordId)) {
      unpublished.set(recordId, outcome.error);
      services.log.warning('event.pending', { recordId, error: outcome.error.message });
    }
  }
  return unpublished;
}

function logEvent(
  { log }: WriteServices,
  recordId: string,
  record: ExportRecord,
  { kind }: UnpublishedEvent,
): void {
  const facts = { recordId, state: record.state, project: record.project, batchId: record.batchId };
  switch (kind) {
    case 'STATE':
      log.info('record.transition', facts);
      break;
    case 'STALLED':
      log.warning('record.stalled', { ...facts, ...stallOf(record) });
      break;
    case 'DELIVERY':
      logDelivery(log, facts, record);
      break;
    case 'EXTRA_OPERATION':
      log.warning('record.extra_operation', {
        ...facts,
        operation: record.extraOperations?.at(-1)?.operation,
      });
      break;
  }
}

/** The alerts count these lines. */
function logDelivery(log: WriteServices['log'], facts: object, record: ExportRecord): void {
  if (record.state !== 'SUCCEEDED' || record.delivery === undefined) {
    return;
  }
  const { delivery, deliveredTo } = record;
  const { state, object, problems } = delivery;
  const details = {
    ...facts,
    delivery: state,
    object,
    deliveredTo,
    problems: problems.map(({ code }) => code),
  };
  if (state === 'MISSING' || state === 'SUSPECT' || state === 'AMBIGUOUS') {
    log.warning('delivery.changed', details);
  } else {
    log.info('delivery.changed', details);
  }
}

function stallOf(record: ExportRecord) {
  if (!isActive(record)) {
    return {};
  }
  const { stalledSince, startedAt } = record;
  return { stalledSince, endsAt: startedAt && later(startedAt, TASK_LIFETIME_MS) };
}
