import { describe, expect, it } from 'vitest';

import { HOUR_MS, MINUTE_MS } from '../../shared/clock.ts';
import { UnreadableError } from '../../shared/errors.ts';
import type { ExportRecord } from '../../shared/model/record.ts';
import { isReadable, type Store } from '../../shared/store/store.ts';
import { createMemoryStore } from '../../infra/local/memory/store.ts';
import { createHarness, type Harness, smallJob } from '../harness.ts';
import { sendSlowly } from './slow-sender.ts';

async function theRecord(harness: Harness): Promise<ExportRecord> {
  const [stored] = await harness.records();
  if (!stored) {
    throw new Error('there is no record');
  }
  return stored.value;
}

async function pollFor(harness: Harness, ms: number, stepMs = MINUTE_MS): Promise<void> {
  for (let passed = 0; passed < ms; passed += stepMs) {
    harness.clock.advance(stepMs);
    await harness.poll();
  }
}

describe('ten deliveries of one message at the same instant', () => {
  it('are one claim and nine duplicates, with one call to Earth Engine', async () => {
    const harness = createHarness();
    const outcomes = await Promise.all(
      Array.from({ length: 10 }, () =>
        harness.instance().submit({ data: smallJob(), messageId: 'the same message' }),
      ),
    );
    expect(outcomes.filter(({ outcome }) => outcome === 'SENT')).toHaveLength(1);
    expect(outcomes.filter(({ outcome }) => outcome === 'DUPLICATE')).toHaveLength(9);
    expect(harness.simulator.counters().calls.export).toBe(1);
    expect(await harness.records()).toHaveLength(1);
  });
});

describe('different content under an existing name', () => {
  it('is rejected with the paths that differ, and the first record stays unchanged', async () => {
    const harness = createHarness();
    await harness.submit({ data: smallJob() });
    const before = await theRecord(harness);
    const other = smallJob({}, { videoOptions: { framesPerSecond: 12 }, description: 'other' });
    const outcome = await harness.submit({ data: other, messageId: 'the second' });
    expect(outcome).toEqual({ outcome: 'REJECTED_MESSAGE', reason: 'CONFLICT' });
    const rejected = await harness.store.rejectedMessages.get('the second');
    expect(rejected && isReadable(rejected) && rejected.value.issues.map(({ path }) => path)).toEqual([
      'request.description',
      'request.videoOptions.framesPerSecond',
    ]);
    expect(await theRecord(harness)).toEqual(before);
    expect(harness.simulator.counters().calls.export).toBe(1);
  });

  it('reports the expression as one path', async () => {
    const harness = createHarness();
    await harness.submit({ data: smallJob() });
    const expression = {
      result: '0',
      values: {
        '0': {
          functionInvocationValue: {
            functionName: 'ImageCollection.load',
            arguments: { id: { constantValue: 'COPERNICUS/S2' } },
          },
        },
      },
    };
    await harness.submit({ data: smallJob({}, { expression }), messageId: 'the second' });
    const rejected = await harness.store.rejectedMessages.get('the second');
    expect(rejected && isReadable(rejected) && rejected.value.issues.map(({ path }) => path)).toEqual([
      'request.expression',
    ]);
  });

  it('is compared without the ids, so an id that was given up makes no difference', async () => {
    const harness = createHarness({ simulator: { settings: { queueLimit: 1, useUpIdWhenFull: true } } });
    harness.simulator.setOthers('demo-test', { pending: 1 });
    await harness.submit({ data: smallJob() });
    harness.simulator.setOthers('demo-test', { pending: 0 });
    await pollFor(harness, 2 * MINUTE_MS);
    expect((await theRecord(harness)).requestId).toMatch(/-g2$/);
    const other = smallJob({}, { videoOptions: { framesPerSecond: 12 } });
    await harness.submit({ data: other, messageId: 'the second' });
    const rejected = await harness.store.rejectedMessages.get('the second');
    expect(rejected && isReadable(rejected) && rejected.value.issues.map(({ path }) => path)).toEqual([
      'request.videoOptions.framesPerSecond',
    ]);
    expect(await harness.submit({ data: smallJob() })).toMatchObject({ outcome: 'DUPLICATE' });
  });
});

describe('different content whose first request has expired', () => {
  it('is rejected too', async () => {
    const whole = createMemoryStore();
    const records: Store['records'] = {
      ...whole.records,
      readRequest: async (id) => {
        throw new UnreadableError(id, 'it has no parts');
      },
    };
    const harness = createHarness({ store: { ...whole, records } });
    await harness.submit({ data: smallJob() });
    const other = smallJob({}, { videoOptions: { framesPerSecond: 12 } });
    expect(await harness.submit({ data: other, messageId: 'the second' })).toMatchObject({
      reason: 'CONFLICT',
    });
    const rejected = await harness.store.rejectedMessages.get('the second');
    expect(rejected && isReadable(rejected) && rejected.value.issues).toMatchObject([{ path: 'request' }]);
  });
});

describe('a job that waits', () => {
  const denied = { 'demo-test': 'NO_PERMISSION' } as const;

  it('ends in REJECTED after SUBMIT_DEADLINE_HOURS without a permission, with Earth Engine’s message', async () => {
    const harness = createHarness({ simulator: { settings: { denied } } });
    await harness.submit({ data: smallJob() });
    await pollFor(harness, 71 * HOUR_MS, 30 * MINUTE_MS);
    expect(await theRecord(harness)).toMatchObject({ state: 'WAITING', waitingFor: 'PERMISSION' });
    await pollFor(harness, 2 * HOUR_MS, 30 * MINUTE_MS);
    expect(await theRecord(harness)).toMatchObject({
      state: 'REJECTED',
      error: { status: 'SUBMIT_DEADLINE', message: expect.stringContaining('earthengine.exports.create') },
    });
  });

  it('continues once the permission is granted', async () => {
    const harness = createHarness({ simulator: { settings: { denied } } });
    await harness.submit({ data: smallJob() });
    await pollFor(harness, 5 * HOUR_MS, 30 * MINUTE_MS);
    harness.simulator.set({ denied: {} });
    await harness.untilQuiet();
    expect((await theRecord(harness)).state).toBe('SUCCEEDED');
  });

  it('ends in REJECTED after SUBMIT_DEADLINE_HOURS of an outage, once it is proven that nothing started', async () => {
    const harness = createHarness();
    harness.simulator.set({ faultRates: { internal: 1 }, faultyCalls: ['export'] });
    await harness.submit({ data: smallJob() });
    await pollFor(harness, 74 * HOUR_MS, 30 * MINUTE_MS);
    expect(await theRecord(harness)).toMatchObject({
      state: 'REJECTED',
      error: { status: 'SUBMIT_DEADLINE' },
    });
    expect(harness.simulator.operations()).toHaveLength(0);
  });

  it('shows an outage in which lists fail too, and continues after it', async () => {
    const harness = createHarness();
    harness.simulator.set({ faultRates: { internal: 1 } });
    await harness.submit({ data: smallJob() });
    await pollFor(harness, 5 * HOUR_MS, 30 * MINUTE_MS);
    expect(await theRecord(harness)).toMatchObject({
      state: 'WAITING',
      waitingFor: 'SERVICE',
      unanswered: 3,
      outageSince: expect.any(Date),
    });
    harness.simulator.set({ faultRates: {} });
    await harness.untilQuiet();
    expect((await theRecord(harness)).state).toBe('SUCCEEDED');
    expect(harness.simulator.operations()).toHaveLength(1);
  });

  it('has a new deadline with each outage', async () => {
    const harness = createHarness();
    harness.simulator.set({ faultRates: { internal: 1 }, faultyCalls: ['export'] });
    await harness.submit({ data: smallJob() });
    await pollFor(harness, 60 * HOUR_MS, 30 * MINUTE_MS);
    harness.simulator.set({ faultRates: { tooManyRequests: 1 } });
    await pollFor(harness, 2 * HOUR_MS, 30 * MINUTE_MS);
    harness.simulator.set({ faultRates: { internal: 1 } });
    await pollFor(harness, 60 * HOUR_MS, 30 * MINUTE_MS);
    expect((await theRecord(harness)).state).toBe('WAITING');
  });

  it('waits for a full queue without limit', async () => {
    const harness = createHarness({ simulator: { settings: { queueLimit: 1 } } });
    harness.simulator.setOthers('demo-test', { pending: 1 });
    await harness.submit({ data: smallJob() });
    await pollFor(harness, 200 * HOUR_MS, 30 * MINUTE_MS);
    expect(await theRecord(harness)).toMatchObject({ state: 'WAITING', waitingFor: 'QUEUE' });
    harness.simulator.setOthers('demo-test', { pending: 0 });
    await harness.untilQuiet();
    expect((await theRecord(harness)).state).toBe('SUCCEEDED');
  });
});

describe('an attempt that has ended', () => {
  it('is never reopened by a late answer: the operation is noted as extra and reported', async () => {
    const harness = createHarness();
    const sender = sendSlowly(harness);
    await sender.posted;
    harness.clock.advance(3 * MINUTE_MS);
    harness.simulator.failNext('export', { kind: 'status', status: 400, message: 'no such band' });
    await pollFor(harness, 40 * MINUTE_MS);
    expect((await theRecord(harness)).state).toBe('REJECTED');
    const operation = await sender.arrive();
    sender.answer(operation);
    await sender.submitted;
    expect(await theRecord(harness)).toMatchObject({
      state: 'REJECTED',
      extraOperations: [{ operation: operation.name }],
    });
    const kinds = harness.publisher.published.map(({ message }) => message.attributes['kind']);
    expect(kinds).toContain('EXTRA_OPERATION');
  });
});

describe('commits', () => {
  interface Counted extends Store {
    readonly commits: string[];
    /** Writes only because progress moved by a tenth or more. */
    readonly progress: () => number;
  }

  function counting(store: Store): Counted {
    const commits: string[] = [];
    let progress = 0;
    const progressOf = (record: ExportRecord): number => ('progress' in record && record.progress) || 0;
    return {
      ...store,
      commits,
      progress: () => progress,
      records: {
        ...store.records,
        create: (...args) => {
          commits.push('create');
          return store.records.create(...args);
        },
        replace: (stored, next, request) => {
          commits.push(next.state);
          const moved = progressOf(next) - progressOf(stored.value) >= 0.0999;
          progress += moved && next.state === stored.value.state ? 1 : 0;
          return store.records.replace(stored, next, request);
        },
      },
    };
  }

  it('are two for a submission', async () => {
    const store = counting(createMemoryStore());
    const harness = createHarness({ store });
    await harness.submit({ data: smallJob() });
    expect(store.commits).toEqual(['create', 'PENDING']);
  });

  it('are at most five for a whole job besides progress, however often it is polled', async () => {
    const store = counting(createMemoryStore());
    const settings = { runMs: [50 * MINUTE_MS, 50 * MINUTE_MS] } as const;
    const harness = createHarness({ store, simulator: { settings } });
    await harness.submit({ data: smallJob() });
    await harness.untilQuiet({ stepMs: 20_000 });
    const [stored] = await harness.records();
    expect(stored?.value.state).toBe('SUCCEEDED');
    expect(store.progress()).toBeLessThanOrEqual(10);
    expect(store.commits.length - store.progress()).toBeLessThanOrEqual(5);
    expect(stored?.value.revision).toBe(store.commits.length);
  });

  it('are zero for a poll without changes', async () => {
    const store = counting(createMemoryStore());
    const settings = { runMs: [1e9, 1e9], concurrency: 0 } as const;
    const harness = createHarness({ store, simulator: { settings } });
    await harness.submit({ data: smallJob() });
    await pollFor(harness, 30 * MINUTE_MS);
    expect(store.commits).toEqual(['create', 'PENDING']);
  });
});
