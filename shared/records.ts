import pMap from 'p-map';

import { DAY_MS, later } from './clock.ts';
import { ServiceError, StaleWriteError } from './errors.ts';
import type { Services } from './services.ts';
import { isReadable, type Stored } from './store/store.ts';
import { eventMessage, isOwnDecision, newsOf } from './record/events.ts';
import { type ExportRecord, isActive, recordSchema, type UnpublishedEvent } from './model/record.ts';

/** How a decision becomes a write, with the event that tells of it. */

/** A topic that does not take an event within this is slow: the event is owed, the record does not wait. */
const EVENT_PATIENCE_MS = 2000;

/** A record that is written so often at once is not decided by reading it once more. */
const MAX_REREADS = 8;

const WRITERS = 16;

/** EE ends a batch task that runs longer (https://developers.google.com/earth-engine/guides/processing_environments). */
const TASK_LIFETIME_MS = 10 * DAY_MS;

type WriteServices = Pick<Services, 'store' | 'publisher' | 'config' | 'clock' | 'log'>;

/**
 * Decides on what the record is now, and writes the decision only if it still is that; otherwise reads again and decides
 * again. `decide` is pure: it may run several times.
 *
 * @param decide the record as it is to be; undefined where nothing is to be done (any more)
 * @param request new request bytes, written in the same commit
 * @returns the record as it is then, and whether this call wrote it
 * @throws StaleWriteError when the record is gone
 */
export async function settle(
  services: WriteServices,
  stored: Stored<ExportRecord>,
  decide: (record: ExportRecord) => ExportRecord | undefined,
  request?: Uint8Array,
): Promise<{ stored: Stored<ExportRecord>; written: boolean }> {
  let current = stored;
  for (let reread = 0; ; reread += 1) {
    const next = decide(current.value);
    if (next === undefined) {
      return { stored: current, written: false };
    }
    try {
      return { stored: await write(services, current, next, request), written: true };
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

/** One conditional write, and the event for it: before, if it is Earth Engine's news; after, if it is our decision. */
export async function write(
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
    const written = await store.records.replace(stored, recordSchema.parse(owing(next, [news])), request);
    logNews(services, stored.id, next, news);
    const [settled = written] = await publishOwed(services, [written]);
    return settled;
  }
  const unpublished = await publish(services, [{ recordId: stored.id, record: next, event: news }]);
  const told = unpublished.size === 0 ? next : owing(next, [news]);
  const written = await store.records.replace(stored, recordSchema.parse(told), request);
  logNews(services, stored.id, next, news);
  return written;
}

/** A new record's news: written with it as owed, told now. */
export function owingNews(record: ExportRecord): ExportRecord {
  const news = newsOf(undefined, record);
  return news ? owing(record, [news]) : record;
}

/**
 * Publishes what records owe, together; what is not published stays owed, and the poller comes back to it.
 *
 * @returns the records as they are then, in their order: one that still owes is returned as it was given
 */
export async function publishOwed(
  services: WriteServices,
  owing: readonly Stored<ExportRecord>[],
): Promise<Stored<ExportRecord>[]> {
  return (await tellOwed(services, owing)).stored;
}

/** As `publishOwed`, and whether the topic takes nothing for now: then the rest need not be tried. */
export async function tellOwed(
  services: WriteServices,
  owing: readonly Stored<ExportRecord>[],
): Promise<{ stored: Stored<ExportRecord>[]; isTopicDown: boolean }> {
  const events = owing.flatMap(({ id, value }) =>
    (value.unpublishedEvents ?? []).map((event) => ({ recordId: id, record: value, event })),
  );
  const unpublished = await publish(services, events);
  const stored = await pMap(
    owing,
    (one) =>
      one.value.unpublishedEvents === undefined || unpublished.has(one.id) ? one : owesNothing(services, one),
    { concurrency: WRITERS },
  );
  return { stored, isTopicDown: [...unpublished.values()].some(isTopicFault) };
}

/** Any other failure may be the message's own, and a topic that fails is left alone for a while right after. */
const isTopicFault = (error: Error): boolean =>
  error instanceof ServiceError && (error.code === 'PUBLISH_PAUSED' || error.code === 'PUBLISH_TIMEOUT');

async function owesNothing(
  { store, clock }: WriteServices,
  stored: Stored<ExportRecord>,
): Promise<Stored<ExportRecord>> {
  try {
    const { unpublishedEvents: _published, ...settled } = stored.value;
    return await store.records.replace(stored, {
      ...settled,
      revision: settled.revision + 1,
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

const owing = (record: ExportRecord, events: readonly UnpublishedEvent[]): ExportRecord => ({
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
      services.log.warning('event.owed', { recordId, error: outcome.error.message });
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
