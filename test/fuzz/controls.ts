import type { Services } from '../../shared/services.ts';
import { isReadable, type Records, type Stored } from '../../shared/store/store.ts';
import { type Query, recordQueries } from '../../shared/store/queries.ts';
import { later, MINUTE_MS } from '../../shared/clock.ts';
import type { ExportRecord } from '../../shared/model/record.ts';
import type { FeatureName } from './features.ts';

/** Does the fuzzer see anything at all? Each control takes one safeguard out of every process, and must be caught. */
export interface Control {
  readonly name: string;
  /** A violation that shows it. */
  readonly breaks: RegExp;
  readonly sabotage?: (services: Services) => Services;
  /** What must be on for it, beside the default. */
  readonly features?: readonly FeatureName[];
  /** A seed that catches it, if dozens before it do not: the test plays it first. */
  readonly caughtBy?: number;
  /** Each delivery carries the time of the delivery as its publish time. */
  readonly hasFreshTimes?: boolean;
}

const changeRecords = (services: Services, change: (records: Records) => Partial<Records>): Services => {
  const { records } = services.store;
  return { ...services, store: { ...services.store, records: { ...records, ...change(records) } } };
};

const emptySearches = (services: Services): Services => ({
  ...services,
  earthEngine: {
    ...services.earthEngine,
    listOperations: async () => ({ operations: [], nextPageToken: undefined }),
  },
});

/** A conditional write is repeated on what is there now. */
const noFence = (services: Services): Services =>
  changeRecords(services, (records) => ({
    replace: async (stored, next, request) => {
      const current = await records.get(stored.id);
      return records.replace(current && isReadable(current) ? current : stored, next, request);
    },
  }));

/** A sender believes that its lease goes on for twenty minutes. */
const noLeaseCheck = (services: Services): Services => {
  const extend = <T>(stored: Stored<T>): Stored<T> => {
    const record = stored.value as ExportRecord;
    if (record.state !== 'SUBMITTING') {
      return stored;
    }
    const leaseUntil = later(record.claim.leaseUntil, 20 * MINUTE_MS);
    return { ...stored, value: { ...record, claim: { ...record.claim, leaseUntil } } as T };
  };
  const patient = changeRecords(services, (records) => ({
    create: async (...call) => {
      const outcome = await records.create(...call);
      return 'created' in outcome ? { created: extend(outcome.created) } : outcome;
    },
    replace: async (...call) => extend(await records.replace(...call)),
    get: async (id) => {
      const found = await records.get(id);
      return found && isReadable(found) ? extend(found) : found;
    },
  }));
  return { ...patient, config: { ...services.config, submitTimeoutMs: 20 * MINUTE_MS } };
};

/** Two searches prove absence at once, however late a request may arrive. */
const noAbsenceTime = (services: Services): Services => ({
  ...services,
  policy: { ...services.policy, absenceMs: 0 },
});

const otherBytes = (services: Services): Services =>
  changeRecords(services, (records) => ({
    readRequest: async (id) => {
      const text = new TextDecoder().decode(await records.readRequest(id));
      return Buffer.from(JSON.stringify(JSON.parse(text), undefined, 1));
    },
  }));

const lostEvents = (services: Services): Services => ({
  ...services,
  publisher: {
    ...services.publisher,
    publish: async (topic, messages, timeoutMs) => {
      const isEvent = topic === services.config.topics.events;
      return isEvent
        ? messages.map(() => ({ messageId: 'none' }))
        : services.publisher.publish(topic, messages, timeoutMs);
    },
  },
});

/** A batch counts its unfinished records as finished. */
const earlyBatches = (services: Services): Services =>
  changeRecords(services, (records) => ({
    count: async (query) => {
      const batchId = String(query.where[0]?.[2]);
      const is = (other: Query) => JSON.stringify(query) === JSON.stringify(other);
      if (is(recordQueries.unfinishedOfBatch(batchId))) {
        return 0;
      }
      return records.count(
        is(recordQueries.terminalOfBatch(batchId)) ? recordQueries.ofBatch(batchId) : query,
      );
    },
  }));

/** The claim of a record that is there already succeeds as well. */
const noClaimPrecondition = (services: Services): Services =>
  changeRecords(services, (records) => ({
    create: async (id, value, request) => {
      const outcome = await records.create(id, value, request);
      return 'existing' in outcome && isReadable(outcome.existing)
        ? { created: await records.replace(outcome.existing, value, request) }
        : outcome;
    },
  }));

/** An unanswered send is not counted. */
const uncountedSends = (services: Services): Services =>
  changeRecords(services, (records) => ({
    replace: (stored, next, request) =>
      records.replace(stored, 'unanswered' in next ? { ...next, unanswered: 0 } : next, request),
  }));

const duplicates = /^(?:duplicate operation|unrecorded operation|started after its end)/;

export const controls: readonly Control[] = [
  { name: 'searches that always come back empty', breaks: duplicates, sabotage: emptySearches },
  {
    name: 'no fence: a conditional write overwrites what is there',
    breaks: /^(?:changed after its end|operation replaced)/,
    sabotage: noFence,
  },
  {
    name: 'no check of the lease before a send',
    breaks: duplicates,
    sabotage: noLeaseCheck,
    caughtBy: 72,
  },
  { name: 'no time between the two searches', breaks: duplicates, sabotage: noAbsenceTime },
  { name: 'unanswered sends are not counted', breaks: duplicates, sabotage: uncountedSends },
  {
    name: 'no precondition of a claim',
    breaks: /^(?:changed after its end|operation replaced|duplicate operation)/,
    sabotage: noClaimPrecondition,
  },
  { name: 'bytes that are made anew', breaks: /^different bytes/, sabotage: otherBytes },
  { name: 'events that are lost', breaks: /^no event/, sabotage: lostEvents },
  { name: 'batches that do not wait', breaks: /^batch finished early/, sabotage: earlyBatches },
  {
    name: 'old cancellations that look new',
    breaks: /^canceled without reason/,
    features: ['late-cancellations'],
    caughtBy: 47,
    hasFreshTimes: true,
  },
];
