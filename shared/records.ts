import pMap from 'p-map';

import { DAY_MS, later } from './clock.ts';
import { ServiceError, StaleWriteError } from './errors.ts';
import type { Services } from './services.ts';
import { type Created, isReadable, type Stored } from './store/store.ts';
import { eventMessage, isOwnDecision, newsOf } from './record/events.ts';
import { type ExportRecord, isActive, recordSchema, type UnpublishedEvent } from './model/record.ts';

/**
 * The only writer of records. A decision becomes a conditional write and an event on the event topic, as a transactional
 * outbox: an event that could not be published yet is kept on the record in `unpublishedEvents`, and the poller flushes it.
 */

/** A topic that does not take an event within this is slow: the event is owed, the record does not wait. */
const EVENT_PATIENCE_MS = 2000;

/** A record that is written so often at once is not decided by reading it once more. */
const MAX_REREADS = 8;

const WRITERS = 16;

/** EE ends a batch task that runs longer (https://developers.google.com/earth-engine/guides/processing_environments). */
const TASK_LIFETIME_MS = 10 * DAY_MS;

type WriteServices = Pick<Services, 'store' | 'publisher' | 'config' | 'clock' | 'log'>;

/** The record as it is after a call, and whether this call wrote it. */
export interface UpdateResult {
  readonly stored: Stored<ExportRecord>;
  readonly written: boolean;
}

/**
 * Creates a record, with its event.
 *
 * @param request the exact bytes to send, written in the same commit; none for a record without a request
 * @returns the record as created, or what already has this id
 */
export async function createRecord(
  services: WriteServices,
  recordId: string,
  record: ExportRecord,
  request?: Uint8Array,
): Promise<Created<ExportRecord>> {
  const news = newsOf(undefined, record);
  const outcome = await services.store.records.create(
    recordId,
    news ? withPending(record, [news]) : record,
    request,
  );
  return 'created' in outcome ? { created: await flushed(services, outcome.created) } : outcome;
}

/**
 * Decides on what the record is now, and writes the decision only if it still is that; otherwise reads again and decides
 * again. `decide` is pure: it may run several times.
 *
 * @param decide the record as it is to be; undefined where nothing is to be done (any more)
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
 * One conditional write, and its event: published before the write if Earth Engine said it, after the write if the service
 * decided it.
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
  const news = newsOf(stored.value, next);
  if (news === undefined) {
    return store.records.replace(stored, recordSchema.parse(next), request);
  }
  if (isOwnDecision(next)) {
    const written = await store.records.replace(
      stored,
      recordSchema.parse(withPending(next, [news])),
      request,
    );
    logNews(services, stored.id, next, news);
    return flushed(services, written);
  }
  const unpublished = await publish(services, [{ recordId: stored.id, record: next, event: news }]);
  const told = unpublished.size === 0 ? next : withPending(next, [news]);
  const written = await store.records.replace(stored, recordSchema.parse(told), request);
  logNews(services, stored.id, next, news);
  return written;
}

/** A record's pending events, published now if the topic takes them; otherwise the poller comes back to them. */
async function flushed(
  services: WriteServices,
  written: Stored<ExportRecord>,
): Promise<Stored<ExportRecord>> {
  const { stored } = await flushEvents(services, [written]);
  return stored[0] ?? written;
}

/**
 * Publishes the pending events of records, together. Events that are not published stay pending, and the poller retries
 * them.
 *
 * @returns the records as they are then, in their order, and whether the topic accepts nothing for now: then the rest need
 *   not be tried
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

/** Any other failure may be the message's own, and a topic that fails is left alone for a while right after. */
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
      // Somebody moved it on meanwhile: the event stays owed and is told twice, with the same eventId.
      return stored;
    }
    throw error;
  }
}

const withPending = (record: ExportRecord, events: readonly UnpublishedEvent[]): ExportRecord => ({
  ...record,
  unpublishedEvents: [...(record.unpublishedEvents ?? []), ...events],
});

/** @returns the records whose events were not all published, by id, and why */
async function publish(
  services: WriteServices,
  events: readonly { recordId: string; record: ExportRecord; event: UnpublishedEvent }[],
): Promise<Map<string, Error>> {
  const messages = events.map(({ recordId, record, event }) => eventMessage(recordId, record, event));
  const outcomes = await services.publisher.publish(
    services.config.topics.events,
    messages,
    EVENT_PATIENCE_MS,
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

function logNews(
  { log }: WriteServices,
  recordId: string,
  record: ExportRecord,
  news: UnpublishedEvent,
): void {
  const facts = { recordId, state: record.state, project: record.project, batchId: record.batchId };
  switch (news.kind) {
    case 'STATE':
      log.info('record.transition', facts);
      break;
    case 'STALLED':
      log.warning('record.stalled', { ...facts, ...stallOf(record) });
      break;
    case 'EXTRA_OPERATION':
      log.warning('record.extra_operation', {
        ...facts,
        operation: record.extraOperations?.at(-1)?.operation,
      });
      break;
  }
}

function stallOf(record: ExportRecord) {
  if (!isActive(record)) {
    return {};
  }
  const { stalledSince, startedAt } = record;
  return { stalledSince, endsAt: startedAt && later(startedAt, TASK_LIFETIME_MS) };
}
