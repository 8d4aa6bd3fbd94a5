import type { DeliveryRule } from '../../infra/local/storage/deliver.ts';
import type { SimulatedStorage } from '../../infra/local/storage/storage.ts';
import type { Services } from '../../shared/services.ts';
import { createHarness, type Harness, smallJob } from '../harness.ts';

/** Deliveries of every kind, and a poller that dies at each of its calls. */

const MINUTE_MS = 60_000;
export const bucket = 'my-bucket';

export interface DeliveryCase {
  readonly name: string;
  readonly rule: Omit<DeliveryRule, 'pattern'>;
  /** What else happens before the first look. */
  readonly before?: (buckets: SimulatedStorage, nowMs: number) => void;
  readonly jobs?: 1 | 2;
  readonly expected: { readonly state: string; readonly code?: string };
}

const put = (buckets: SimulatedStorage, name: string, createdMs: number, data: Uint8Array): void =>
  void buckets.objects.put({ bucket, name, data, createdMs });

export const deliveryCases: readonly DeliveryCase[] = [
  { name: 'early', rule: {}, expected: { state: 'VERIFIED' } },
  { name: 'late', rule: { when: 20 * MINUTE_MS }, expected: { state: 'VERIFIED' } },
  { name: 'missing', rule: { when: 'never' }, expected: { state: 'MISSING', code: 'NOT_FOUND' } },
  {
    name: 'of an earlier run',
    rule: { when: 'earlier-run' },
    expected: { state: 'MISSING', code: 'NOT_FOUND' },
  },
  {
    name: 'overwritten',
    rule: {},
    before: (buckets, nowMs) => {
      for (const { name, data } of buckets.objects.list(bucket, 'small')) {
        put(buckets, name, nowMs, data);
      }
    },
    expected: { state: 'VERIFIED' },
  },
  {
    name: 'beside a foreign file',
    rule: {},
    before: (buckets, nowMs) => put(buckets, 'small-notes.mp4', nowMs, Buffer.from('x')),
    expected: { state: 'VERIFIED' },
  },
  { name: 'two files', rule: { files: 2 }, expected: { state: 'AMBIGUOUS', code: 'SEVERAL_FILES' } },
  { name: 'shared prefix', rule: {}, jobs: 2, expected: { state: 'AMBIGUOUS', code: 'SHARED_PREFIX' } },
  { name: 'truncated', rule: { file: 'truncated' }, expected: { state: 'SUSPECT', code: 'TRUNCATED' } },
  { name: 'one frame', rule: { file: 'one-frame' }, expected: { state: 'SUSPECT', code: 'ONE_FRAME' } },
  { name: 'zero bytes', rule: { file: 'empty' }, expected: { state: 'SUSPECT', code: 'EMPTY' } },
  {
    name: 'wrong crc',
    rule: { wrongChecksum: true },
    expected: { state: 'SUSPECT', code: 'WRONG_CHECKSUM' },
  },
  {
    name: '403',
    rule: {},
    before: (buckets) => void (buckets.settings = { ...buckets.settings, denied: [bucket] }),
    expected: { state: 'UNCHECKED', code: 'DENIED' },
  },
  {
    name: '404 bucket',
    rule: {},
    before: (buckets) => void (buckets.settings = { ...buckets.settings, missing: [bucket] }),
    expected: { state: 'MISSING', code: 'NO_BUCKET' },
  },
  {
    name: '503s',
    rule: {},
    before: (buckets) => {
      buckets.failNext('list', { kind: 'status', status: 503 }, 2);
      buckets.failNext('read', { kind: 'status', status: 503 }, 2);
    },
    expected: { state: 'VERIFIED' },
  },
];

class Died extends Error {}

/** A process that dies right after one of its calls took effect: none of the later ones does. */
export function dyingAt(services: Services, call: number) {
  let calls = 0;
  const guard =
    <Args extends unknown[], R>(work: (...args: Args) => Promise<R>) =>
    async (...args: Args): Promise<R> => {
      calls += 1;
      if (calls > call) {
        throw new Died();
      }
      const result = await work(...args);
      if (calls >= call) {
        throw new Died();
      }
      return result;
    };
  const { records } = services.store;
  const dying: Services = {
    ...services,
    store: {
      ...services.store,
      records: {
        ...records,
        find: guard(records.find.bind(records)),
        replace: guard(records.replace.bind(records)),
      },
    },
    publisher: { ...services.publisher, publish: guard(services.publisher.publish.bind(services.publisher)) },
    storage: async () => {
      const storage = await (services.storage as NonNullable<Services['storage']>)();
      return {
        ...storage,
        list: guard(storage.list.bind(storage)),
        get: guard(storage.get.bind(storage)),
        read: guard(storage.read.bind(storage)),
        copy: guard(storage.copy.bind(storage)),
      };
    },
  };
  return { services: dying, calls: () => calls };
}

/** Jobs that Earth Engine has ended, before the poll that learns it. */
export async function prepare(
  { rule, before, jobs = 1 }: DeliveryCase,
  form: 'plain' | 'numbered',
  job: Record<string, unknown> = {},
): Promise<Harness> {
  const harness = createHarness({ deliveries: [{ pattern: '.', name: form, ...rule }] });
  for (let n = 0; n < jobs; n += 1) {
    await harness.submit({ data: smallJob({ jobKey: `job/${n}`, ...job }) });
  }
  await harness.poll();
  harness.clock.advance(MINUTE_MS);
  harness.simulator.counters();
  before?.(harness.buckets, harness.clock.now().getTime());
  return harness;
}

/** Polls by another process until nothing is due. */
export async function settle(harness: Harness): Promise<void> {
  for (let polls = 0; polls < 60; polls += 1) {
    await harness.poll();
    const open = (await harness.records()).some(({ value }) => 'dueAt' in value && value.dueAt !== undefined);
    if (!open) {
      return;
    }
    harness.clock.advance(5 * MINUTE_MS);
  }
  throw new Error('a record stays due');
}

/** The deliveries that events report, by record: an event that was published twice counts once. */
export function reportedDeliveries(harness: Harness): Map<string, string[]> {
  const seen = new Map<string, { recordId: string; text: string }>();
  for (const { message } of harness.publisher.published) {
    const { eventId = '', kind, recordId = '', delivery = '' } = message.attributes;
    if (kind === 'DELIVERY') {
      const { deliveredTo } = JSON.parse(Buffer.from(message.data).toString()) as { deliveredTo?: string };
      seen.set(eventId, { recordId, text: [delivery, deliveredTo].filter(Boolean).join(' ') });
    }
  }
  const byRecord = new Map<string, string[]>();
  for (const { recordId, text } of seen.values()) {
    byRecord.set(recordId, [...(byRecord.get(recordId) ?? []), text]);
  }
  return byRecord;
}
