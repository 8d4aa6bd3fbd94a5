import { describe, expect, it } from 'vitest';

import { expandBatch } from '../../shared/batch/expand-batch.ts';
import { finishBatches } from '../../shared/batch/finish-batches.ts';
import { cancelLateArrivals } from '../../shared/cancellation/cancel-batch.ts';
import { cancelExports } from '../../shared/cancellation/cancel-exports.ts';
import { later } from '../../shared/clock.ts';
import { EarthEngineError } from '../../shared/earth-engine/api.ts';
import { recordIdOf } from '../../shared/model/ids.ts';
import type { Services } from '../../shared/services.ts';
import { batchOf, jobMessages } from '../batch/batches.ts';
import { smallManifest } from '../batch/manifests.ts';
import { createHarness, envelopeOf, type Harness, smallJob } from '../harness.ts';

const cancel = (
  { services }: { services: Services },
  data: unknown,
  message: { messageId?: string; publishTime?: Date } = {},
) => cancelExports(services, envelopeOf({ data, ...message }));

const idOf = (jobKey: string, attempt = 1) => recordIdOf({ project: 'demo-test', jobKey, attempt });

/** An operation that would run for hours. */
const slow = { pendingMs: 0, startsPerSecond: 100, runMs: [36_000_000, 36_000_000] as const };

const statesOf = (harness: Harness) => harness.simulator.operations().map(({ state }) => state);

describe('canceling a job', () => {
  it('with an operation cancels both', async () => {
    const harness = createHarness({ simulator: { settings: slow } });
    await harness.submit({ data: smallJob() });
    harness.clock.advance(10_000);
    expect(await cancel(harness, { recordId: idOf('test/1') })).toEqual({
      outcome: 'CANCELLED',
      records: 1,
      operations: 1,
    });
    await harness.untilQuiet();
    expect(await harness.record(idOf('test/1'))).toMatchObject({
      state: 'CANCELLED',
      operation: expect.stringContaining('/operations/') as string,
    });
    expect(statesOf(harness)).toEqual(['CANCELLED']);
  });

  it('that Earth Engine finishes anyway ends as SUCCEEDED', async () => {
    const harness = createHarness({ simulator: { settings: { uncancellable: ['small'], pendingMs: 0 } } });
    await harness.submit({ data: smallJob() });
    await cancel(harness, { jobKey: 'test/1' });
    await harness.untilQuiet();
    const record = await harness.record(idOf('test/1'));
    expect(record).toMatchObject({ state: 'SUCCEEDED' });
    expect(record.cancelRequestedAt).toBeDefined();
  });

  it('is left to the poller immediately if the Retry-After of Earth Engine is endless', async () => {
    const harness = createHarness({ simulator: { settings: slow } });
    await harness.submit({ data: smallJob() });
    harness.clock.advance(10_000);
    const startedAt = harness.clock.now().getTime();
    let calls = 0;
    const busy = harness.instance((services) => ({
      ...services,
      earthEngine: {
        ...services.earthEngine,
        cancelOperation: () => {
          calls += 1;
          const answer = { httpStatus: 429, status: 'RESOURCE_EXHAUSTED', message: 'Slow down.', reply: '' };
          return Promise.reject(new EarthEngineError('RATE_LIMITED', { ...answer, retryAfterMs: 1e300 }));
        },
      },
    }));
    expect(await cancel(busy, { jobKey: 'test/1' })).toMatchObject({ records: 1, operations: 0 });
    expect(calls).toBe(1);
    expect(harness.clock.now().getTime()).toBe(startedAt);
    await harness.untilQuiet();
    expect(await harness.record(idOf('test/1'))).toMatchObject({ state: 'CANCELLED' });
  });

  it('that is waiting, with every send answered, ends it at once, and it is never sent', async () => {
    const harness = createHarness({ simulator: { settings: { ...slow, queueLimit: 1, concurrency: 0 } } });
    await harness.submit({ data: smallJob({ jobKey: 'a' }) });
    await harness.submit({ data: smallJob({ jobKey: 'b' }) });
    await harness.submit({ data: smallJob({ jobKey: 'c' }) });
    const calls = harness.simulator.counters().calls.export;
    for (const jobKey of ['b', 'c']) {
      expect(await harness.record(idOf(jobKey))).toMatchObject({ state: 'WAITING' });
      await cancel(harness, { jobKey });
      expect(await harness.record(idOf(jobKey))).toMatchObject({ state: 'CANCELLED' });
    }
    harness.simulator.set({ queueLimit: 10 });
    harness.clock.advance(3_600_000);
    await harness.poll();
    expect(harness.simulator.counters().calls.export).toBe(calls);
    const events = harness.publisher.published.filter(
      ({ message }) => message.attributes['state'] === 'CANCELLED',
    );
    expect(events).toHaveLength(2);
  });

  it('with an unanswered send searches for its operation, and cancels it at Earth Engine', async () => {
    const harness = createHarness({ simulator: { settings: slow } });
    harness.simulator.failNext('export', { kind: 'lost' }, 1);
    harness.simulator.failNext('export', { kind: 'status', status: 503 }, 2);
    await harness.submit({ data: smallJob() });
    expect(await harness.record(idOf('test/1'))).toMatchObject({ state: 'WAITING' });
    await cancel(harness, { jobKey: 'test/1' });
    expect(await harness.record(idOf('test/1'))).toMatchObject({ state: 'WAITING' });
    const calls = harness.simulator.counters().calls.export;
    await harness.untilQuiet();
    expect(await harness.record(idOf('test/1'))).toMatchObject({ state: 'CANCELLED' });
    expect(statesOf(harness)).toEqual(['CANCELLED']);
    expect(harness.simulator.counters().calls.export).toBe(calls);
  });

  it('with an unanswered send that never arrived ends as CANCELLED without an operation', async () => {
    const harness = createHarness({ simulator: { settings: slow } });
    harness.simulator.failNext('export', { kind: 'reset' }, 3);
    await harness.submit({ data: smallJob() });
    await cancel(harness, { jobKey: 'test/1' });
    await harness.untilQuiet();
    const record = await harness.record(idOf('test/1'));
    expect(record).toMatchObject({ state: 'CANCELLED' });
    expect(record).not.toHaveProperty('operation');
    expect(statesOf(harness)).toEqual([]);
  });

  it.each(['before its request arrives', 'after Earth Engine has it and before that is recorded'])(
    'during its submission, %s',
    async (order) => {
      const harness = createHarness({ simulator: { settings: slow } });
      const sender = harness.instance((services) => ({
        ...services,
        earthEngine: {
          ...services.earthEngine,
          startExport: async (...call) => {
            if (order.startsWith('before')) {
              await cancel(harness, { jobKey: 'test/1' });
            }
            const operation = await services.earthEngine.startExport(...call);
            if (order.startsWith('after')) {
              await cancel(harness, { jobKey: 'test/1' });
            }
            return operation;
          },
        },
      }));
      await sender.submit({ data: smallJob() });
      expect(harness.simulator.operations().map(({ cancelRequested }) => cancelRequested)).toEqual([true]);
      await harness.untilQuiet();
      expect(await harness.record(idOf('test/1'))).toMatchObject({ state: 'CANCELLED', submissions: 1 });
      expect(statesOf(harness)).toEqual(['CANCELLED']);
    },
  );

  it('whose sender died with its claim cancels its operation, if there is one', async () => {
    for (const fault of [{ kind: 'lost' }, { kind: 'reset' }] as const) {
      const harness = createHarness({ simulator: { settings: slow } });
      harness.simulator.failNext('export', fault, 1);
      const dying = harness.instance((services) => ({
        ...services,
        earthEngine: {
          ...services.earthEngine,
          startExport: async (...call) => {
            await services.earthEngine.startExport(...call).catch(() => undefined);
            throw new TypeError('killed');
          },
        },
      }));
      await expect(dying.submit({ data: smallJob() })).rejects.toThrow('killed');
      expect(await harness.record(idOf('test/1'))).toMatchObject({ state: 'SUBMITTING' });
      await cancel(harness, { jobKey: 'test/1' });
      await harness.untilQuiet();
      expect(await harness.record(idOf('test/1'))).toMatchObject({ state: 'CANCELLED' });
      expect(statesOf(harness)).toEqual(fault.kind === 'lost' ? ['CANCELLED'] : []);
    }
  });

  it('whose message has not arrived creates a record, which the message finds', async () => {
    const harness = createHarness();
    expect(await cancel(harness, { jobKey: 'test/1', project: 'demo-test' })).toMatchObject({ records: 1 });
    expect(await cancel(harness, { jobKey: 'test/1' })).toMatchObject({ records: 0 });
    expect(await harness.submit({ data: smallJob() })).toMatchObject({ outcome: 'DUPLICATE' });
    await harness.untilQuiet();
    expect(await harness.record(idOf('test/1'))).toMatchObject({ state: 'CANCELLED', submissions: 0 });
    expect(harness.simulator.exportCalls).toHaveLength(0);
    expect(await harness.submit({ data: smallJob({ attempt: 2 }) })).toMatchObject({ outcome: 'SENT' });
  });

  it('by its key cancels all attempts that have not ended, or only the given one', async () => {
    const harness = createHarness({ simulator: { settings: slow } });
    await harness.submit({ data: smallJob() });
    await harness.submit({ data: smallJob({ attempt: 2 }) });
    await harness.submit({ data: smallJob({ attempt: 3 }) });
    await cancel(harness, { jobKey: 'test/1', attempt: 2 });
    expect((await harness.record(idOf('test/1', 2))).cancelRequestedAt).toBeDefined();
    expect((await harness.record(idOf('test/1', 3))).cancelRequestedAt).toBeUndefined();
    await cancel(harness, { jobKey: 'test/1' });
    await harness.untilQuiet();
    expect(statesOf(harness)).toEqual(['CANCELLED', 'CANCELLED', 'CANCELLED']);
  });

  it('that has ended changes nothing', async () => {
    const harness = createHarness();
    await harness.submit({ data: smallJob() });
    await harness.untilQuiet();
    const before = await harness.record(idOf('test/1'));
    for (const data of [{ jobKey: 'test/1' }, { recordId: idOf('test/1') }]) {
      expect(await cancel(harness, data)).toEqual({ outcome: 'CANCELLED', records: 0, operations: 0 });
    }
    expect(await harness.record(idOf('test/1'))).toEqual(before);
    expect(harness.simulator.counters().calls.cancel).toBe(0);
  });

  it('is repeated later if Earth Engine refuses it now', async () => {
    const harness = createHarness({ simulator: { settings: slow } });
    await harness.submit({ data: smallJob() });
    harness.simulator.failNext('cancel', { kind: 'status', status: 429 }, 5);
    expect(await cancel(harness, { jobKey: 'test/1' })).toMatchObject({ operations: 0 });
    await harness.untilQuiet();
    expect(statesOf(harness)).toEqual(['CANCELLED']);
  });

  it('is completed by the poller if the process died after recording it', async () => {
    const harness = createHarness({ simulator: { settings: slow } });
    await harness.submit({ data: smallJob() });
    const dying: Services = {
      ...harness.services,
      earthEngine: { ...harness.services.earthEngine, cancelOperation: () => new Promise(() => {}) },
    };
    const hanging = Promise.race([
      cancel({ services: dying }, { jobKey: 'test/1' }),
      new Promise((resolve) => setImmediate(resolve)),
    ]);
    await hanging;
    expect((await harness.record(idOf('test/1'))).cancelRequestedAt).toBeDefined();
    await harness.untilQuiet({ polls: 20 });
    expect(statesOf(harness)).toEqual(['CANCELLED']);
  });
});

describe('an invalid cancellation', () => {
  it.each<[string, unknown, string]>([
    ['names nothing', {}, ''],
    ['names two things', { jobKey: 'a', batchId: 'b' }, ''],
    ['has a project for a batch', { batchId: 'b', project: 'demo-test' }, ''],
    ['has an unknown field', { jobKey: 'a', state: 'RUNNING' }, 'state'],
    ['is not an object', 'a', ''],
    ['has an invalid record id', { recordId: 'a/b' }, 'recordId'],
    ['names a record that does not exist', { recordId: `ve1-${'a'.repeat(32)}` }, 'recordId'],
    ['has a project that is not allowed', { jobKey: 'a', project: 'other' }, 'project'],
    ['has an invalid batchId', { batchId: 'a/b' }, 'batchId'],
    ['has a batchId that is a dot', { batchId: '.' }, 'batchId'],
    ['has a batchId that is two dots', { batchId: '..' }, 'batchId'],
    ['has a batchId that is reserved', { batchId: '__x__' }, 'batchId'],
    ['has a jobKey that cannot be encoded', { jobKey: '\ud800' }, 'jobKey'],
    ['has a jobKey with a control character', { jobKey: 'a\n' }, 'jobKey'],
    ['has an invalid project', { jobKey: 'a', project: '../x' }, 'project'],
    ['has an invalid attempt', { jobKey: 'a', attempt: 0 }, 'attempt'],
    ['has too many fields', Object.fromEntries(Array.from({ length: 1001 }, (_, n) => [`f${n}`, n])), ''],
  ])('%s', async (_, data, path) => {
    const harness = createHarness();
    expect(await cancel(harness, JSON.stringify(data), { messageId: 'wrong' })).toMatchObject({
      outcome: 'REJECTED_MESSAGE',
      issues: [{ path }],
    });
    expect(await harness.store.rejectedMessages.get('wrong')).toMatchObject({
      value: { reason: 'INVALID_CANCELLATION', source: 'cancelExports' },
    });
    expect(await harness.records()).toEqual([]);
  });
});

describe('canceling a batch', () => {
  const expand = (harness: Harness, jobs: number, services = harness.services) =>
    expandBatch(services, envelopeOf({ data: smallManifest(jobs), messageId: 'manifest' }));
  const soon = (harness: Harness) => later(harness.clock.now(), 60_000);

  it('that is expanding stops it, and cancels the jobs on their way', async () => {
    const harness = createHarness({ simulator: { settings: slow } });
    let chunks = 0;
    const interrupted: Services = {
      ...harness.services,
      publisher: {
        ...harness.publisher,
        publish: async (topic, messages, timeoutMs) => {
          chunks += 1;
          if (chunks === 2) {
            await cancel(harness, { batchId: 'small@2026-11-23' });
          }
          return harness.publisher.publish(topic, messages, timeoutMs);
        },
      },
    };
    expect(await expand(harness, 2000, interrupted)).toMatchObject({ outcome: 'CANCELLED' });
    expect(jobMessages(harness)).toHaveLength(1000);
    expect(await batchOf(harness)).toMatchObject({ state: 'RUNNING', published: 1000 });
    expect(await expand(harness, 2000)).toMatchObject({ outcome: 'CANCELLED' });

    await finishBatches(harness.services, soon(harness));
    expect(await batchOf(harness)).toMatchObject({ state: 'RUNNING' });
    for (const { data } of jobMessages(harness).slice(0, 20)) {
      await harness.submit({ data });
    }
    await harness.untilQuiet();
    for (const { data } of jobMessages(harness).slice(20)) {
      await harness.submit({ data });
    }
    await harness.untilQuiet();
    await finishBatches(harness.services, soon(harness));
    expect(await batchOf(harness)).toMatchObject({
      state: 'FINISHED',
      counts: { CANCELLED: 1000 },
    });
    expect(statesOf(harness)).toEqual([]);
  });

  it('that does not exist yet keeps its manifest from being expanded', async () => {
    const harness = createHarness();
    await cancel(harness, { batchId: 'small@2026-11-23' });
    expect(await expand(harness, 3)).toMatchObject({ outcome: 'CANCELLED' });
    expect(jobMessages(harness)).toHaveLength(0);
  });

  it('without a manifest cancels its jobs, including those that arrive later, and may be repeated', async () => {
    const harness = createHarness({ simulator: { settings: slow } });
    const job = (jobKey: string, publishTime?: Date) => ({
      data: smallJob({ jobKey, batchId: 'mine' }),
      ...(publishTime && { publishTime }),
    });
    await harness.submit(job('a'));
    expect(await cancel(harness, { batchId: 'mine' })).toMatchObject({ records: 1, operations: 1 });
    await harness.untilQuiet();
    await finishBatches(harness.services, soon(harness));
    expect(await batchOf(harness, 'mine')).toMatchObject({ state: 'FINISHED', counts: { CANCELLED: 1 } });
    harness.clock.advance(3_600_000);
    await harness.submit(job('b'));
    expect(await harness.record(idOf('b'))).toMatchObject({ state: 'CANCELLED' });
    harness.clock.advance(30 * 86_400_000);
    const publishTime = harness.clock.now();
    await harness.submit(job('c', publishTime));
    await cancelLateArrivals(harness.services, soon(harness));
    expect((await harness.record(idOf('c'))).cancelRequestedAt).toBeUndefined();
    expect(await cancel(harness, { batchId: 'mine' }, { publishTime })).toMatchObject({ records: 1 });
    await harness.untilQuiet();
    expect(statesOf(harness)).toEqual(['CANCELLED', 'CANCELLED']);
  });

  it('that has finished does not change it, unless jobs were added to it', async () => {
    const harness = createHarness({ simulator: { settings: { pendingMs: 0, runMs: [1000, 1000] } } });
    await expand(harness, 1);
    for (const { data } of jobMessages(harness)) {
      await harness.submit({ data });
    }
    await harness.untilQuiet();
    await harness.poll();
    const before = await batchOf(harness);
    expect(before).toMatchObject({ state: 'FINISHED' });
    for (let times = 0; times < 3; times += 1) {
      await cancel(harness, { batchId: 'small@2026-11-23' });
    }
    const { cancelRequestedAt, cancelledThrough, revision, updatedAt, ...same } = await batchOf(harness);
    expect({ ...before, ...same }).toEqual(before);
    // Jobs that may still arrive are canceled; repeating the cancellation changes nothing.
    expect([cancelRequestedAt, cancelledThrough, updatedAt]).not.toContain(undefined);
    expect(revision).toBe(before.revision + 1);
    const publishTime = harness.clock.now();
    await harness.submit({ data: smallJob({ batchId: 'small@2026-11-23' }), publishTime });
    expect(await cancel(harness, { batchId: 'small@2026-11-23' }, { publishTime })).toMatchObject({
      operations: 1,
    });
    await harness.untilQuiet();
    await harness.poll();
    expect(await batchOf(harness)).toMatchObject({
      state: 'FINISHED',
      counts: { SUCCEEDED: 1, CANCELLED: 1 },
    });
  });

  it('that has finished too early cancels a job that arrives later', async () => {
    const harness = createHarness({ simulator: { settings: { pendingMs: 0, runMs: [1000, 1000] } } });
    await expand(harness, 2);
    const [first, second] = jobMessages(harness);
    await harness.submit({ data: first?.data ?? '' });
    await harness.submit({ data: smallJob({ jobKey: 'extra', batchId: 'small@2026-11-23' }) });
    await harness.untilQuiet();
    await harness.poll();
    expect(await batchOf(harness)).toMatchObject({ state: 'FINISHED' });
    expect(await cancel(harness, { batchId: 'small@2026-11-23' })).toMatchObject({ records: 0 });

    harness.clock.advance(600_000);
    harness.simulator.set({ runMs: [36_000_000, 36_000_000] });
    await harness.submit({ data: second?.data ?? '' });
    await harness.poll();
    await harness.untilQuiet();
    await harness.poll();
    expect(await batchOf(harness)).toMatchObject({
      state: 'FINISHED',
      counts: { SUCCEEDED: 2, CANCELLED: 1 },
    });
  });

  it('is continued by the poller after a crash', async () => {
    const harness = createHarness({
      simulator: { settings: { ...slow, concurrency: 2 } },
      environment: { MAX_ACTIVE_OPERATIONS: '10' },
    });
    await expand(harness, 700);
    for (const { data } of jobMessages(harness)) {
      await harness.submit({ data });
    }
    let writes = 0;
    const { records } = harness.store;
    const dying: Services = {
      ...harness.services,
      store: {
        ...harness.store,
        records: {
          ...records,
          replace: async (...call) => {
            writes += 1;
            if (writes > 700) {
              throw new Error('killed');
            }
            return records.replace(...call);
          },
        },
      },
    };
    await expect(cancel({ services: dying }, { batchId: 'small@2026-11-23' })).rejects.toThrow('killed');
    await cancelLateArrivals(harness.services, soon(harness));
    await harness.untilQuiet();
    expect((await harness.records()).map(({ value }) => value.state)).toEqual(Array(700).fill('CANCELLED'));
    expect(new Set(statesOf(harness))).toEqual(new Set(['CANCELLED']));
  });
});
