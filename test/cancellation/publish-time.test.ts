import { describe, expect, it } from 'vitest';

import { expandBatch } from '../../shared/batch/expand-batch.ts';
import { cancelExports } from '../../shared/cancellation/cancel-exports.ts';
import { later, MINUTE_MS, SECOND_MS } from '../../shared/clock.ts';
import { recordIdOf } from '../../shared/model/ids.ts';
import { retryJobs } from '../../shared/retry/retry.ts';
import { batchOf, jobMessages } from '../batch/batches.ts';
import { smallManifest } from '../batch/manifests.ts';
import { createHarness, envelopeOf, type Harness, smallJob } from '../harness.ts';

/** A cancellation applies to what existed when it was published, however late and often it is delivered. */

const batchId = 'small@2026-11-23';
const idOf = (jobKey: string, attempt = 1) => recordIdOf({ project: 'demo-test', jobKey, attempt });
/** Operations that do not end on their own. */
const slow = {
  pendingMs: 0,
  startsPerSecond: 100,
  concurrency: 100,
  runMs: [1e12, 1e12] as [number, number],
};

/** Publishes a cancellation now. The result delivers it, again and again. */
function publish({ services, clock }: Harness, data: object) {
  const envelope = envelopeOf({ data, messageId: 'cancellation', publishTime: clock.now() });
  return () => cancelExports(services, envelope);
}

async function pollFor(harness: Harness, minutes: number): Promise<void> {
  for (let minute = 0; minute < minutes; minute += 1) {
    harness.clock.advance(MINUTE_MS);
    await harness.poll();
  }
}

/** A harness with a batch of running jobs. */
async function running(jobs = 2): Promise<Harness> {
  const harness = createHarness({ simulator: { settings: slow } });
  await expandBatch(harness.services, envelopeOf({ data: smallManifest(jobs), messageId: 'manifest' }));
  for (const { data, attributes } of jobMessages(harness)) {
    await harness.submit({ data, attributes });
  }
  await pollFor(harness, 1);
  return harness;
}

const statesOf = async (harness: Harness) =>
  (await harness.records())
    .map(({ value }) => `${value.attempt} ${value.cancelRequestedAt ? 'CANCELLED' : value.state}`)
    .sort();
const nothing = { outcome: 'CANCELLED', records: 0, operations: 0 };

describe('a cancellation that is redelivered after a retry', () => {
  it.each([
    ['of a batch', { batchId }, { batchId }],
    ['of a job', { jobKey: 'small/2026-11-23/0' }, { jobKeys: ['small/2026-11-23/0'] }],
  ])('%s changes nothing', async (_, cancellation, selection) => {
    const harness = await running(1);
    const deliver = publish(harness, cancellation);
    expect(await deliver()).toMatchObject({ records: 1, operations: 1 });
    await pollFor(harness, 5);
    expect(await retryJobs(harness.services, selection)).toMatchObject({ started: 1 });
    await pollFor(harness, 2);
    expect(await deliver()).toEqual(nothing);
    await pollFor(harness, 5);
    expect(await statesOf(harness)).toEqual(['1 CANCELLED', '2 RUNNING']);
    const batch = await batchOf(harness);
    expect(batch).toMatchObject({ state: 'RUNNING' });
    expect(batch).not.toHaveProperty('cancelRequestedAt');
  });

  it.each([
    ['of a batch', { batchId: 'mine' }, { batchId: 'mine' }],
    ['of a job', { jobKey: 'waits' }, { jobKeys: ['waits'] }],
  ])('%s changes nothing, even within a second', async (_, cancellation, selection) => {
    const harness = createHarness({ simulator: { settings: { ...slow, queueLimit: 0 } } });
    await harness.submit({ data: smallJob({ jobKey: 'waits', batchId: 'mine' }) });
    const deliver = publish(harness, cancellation);
    expect(await deliver()).toMatchObject({ records: 1 });
    await harness.poll();
    expect(await retryJobs(harness.services, selection)).toMatchObject({ started: 1 });
    expect(await deliver()).toEqual(nothing);
    await harness.poll();
    expect(await statesOf(harness)).toEqual(['1 CANCELLED', '2 WAITING']);
  });
});

describe('a cancellation that is delivered late', () => {
  it.each([
    ['of a batch', { batchId }],
    ['of a job', { jobKey: 'small/2026-11-23/0' }],
    ['of a record', { recordId: idOf('small/2026-11-23/0', 2) }],
  ])('%s leaves attempts that were started after it was published', async (_, cancellation) => {
    const harness = await running(1);
    const [first] = harness.simulator.operations();
    harness.simulator.endOperation(first?.name ?? '', {
      state: 'FAILED',
      error: { code: 13, message: 'Internal error.' },
    });
    await pollFor(harness, 2);
    const deliver = publish(harness, cancellation);
    harness.clock.advance(MINUTE_MS);
    expect(await retryJobs(harness.services, { batchId })).toMatchObject({ started: 1 });
    expect(await deliver()).toEqual(nothing);
    await pollFor(harness, 5);
    expect(await statesOf(harness)).toEqual(['1 FAILED', '2 RUNNING']);
    expect(await batchOf(harness)).not.toHaveProperty('cancelRequestedAt');
  });

  it('cancels the rest of a running batch of which one job was retried', async () => {
    const harness = await running(2);
    const [first] = harness.simulator.operations();
    harness.simulator.endOperation(first?.name ?? '', {
      state: 'FAILED',
      error: { code: 13, message: 'Internal error.' },
    });
    await pollFor(harness, 2);
    const deliver = publish(harness, { batchId });
    harness.clock.advance(MINUTE_MS);
    expect(await retryJobs(harness.services, { batchId })).toMatchObject({ started: 1 });
    expect(await deliver()).toMatchObject({ records: 1, operations: 1 });
    await pollFor(harness, 5);
    expect(await statesOf(harness)).toEqual(['1 CANCELLED', '1 FAILED', '2 RUNNING']);
  });

  it('leaves messages that were published after it, and cancels those that were published before', async () => {
    const harness = createHarness({ simulator: { settings: slow } });
    const job = (jobKey: string, publishTime: Date, change = {}) =>
      harness.submit({ data: smallJob({ jobKey, batchId: 'mine', ...change }), publishTime });
    const before = harness.clock.now();
    await job('a', before);
    harness.clock.advance(1);
    const deliver = publish(harness, { batchId: 'mine' });
    harness.clock.advance(1);
    const after = harness.clock.now();
    // Both records exist before the cancellation is handled.
    await job('b', before);
    await job('c', after);
    expect(await deliver()).toMatchObject({ records: 2 });
    harness.clock.advance(MINUTE_MS);
    expect(await job('d', before)).toMatchObject({ outcome: 'CANCELLED' });
    expect(await job('e', after)).toMatchObject({ outcome: 'SENT' });
    expect(await job('a', after, { attempt: 2 })).toMatchObject({ outcome: 'SENT' });
    await pollFor(harness, 5);
    expect(await statesOf(harness)).toEqual([
      '1 CANCELLED',
      '1 CANCELLED',
      '1 CANCELLED',
      '1 RUNNING',
      '1 RUNNING',
      '2 RUNNING',
    ]);
    // A new cancellation covers everything that was published since.
    expect(await publish(harness, { batchId: 'mine' })()).toMatchObject({ records: 3, operations: 3 });
  });
});

describe('a cancellation that is published after a retry', () => {
  it.each([
    ['of a batch', { batchId }],
    ['of a job', { jobKey: 'small/2026-11-23/0' }],
  ])('%s applies, even if the clocks of Pub/Sub and the service differ', async (_, cancellation) => {
    const harness = await running(1);
    await publish(harness, cancellation)();
    await pollFor(harness, 5);
    expect(await retryJobs(harness.services, { batchId })).toMatchObject({ started: 1 });
    const envelope = envelopeOf({
      data: cancellation,
      messageId: 'second',
      publishTime: later(harness.clock.now(), -15 * SECOND_MS),
    });
    expect(await cancelExports(harness.services, envelope)).toMatchObject({ records: 1 });
  });
});

describe('a cancellation without a publish time', () => {
  it.each([
    ['batchId', { batchId }],
    ['jobKey', { jobKey: 'small/2026-11-23/0' }],
  ])('by %s applies to what exists when it is handled', async (_, data) => {
    const harness = await running(1);
    harness.clock.advance(MINUTE_MS);
    const envelope = { ...envelopeOf({ data }), publishTime: undefined };
    expect(await cancelExports(harness.services, envelope)).toMatchObject({ records: 1, operations: 1 });
  });
});

describe('messages of a batch that is already canceled', () => {
  it('become CANCELLED records, and nothing is started; a retry starts them', async () => {
    const harness = createHarness({ simulator: { settings: slow } });
    await expandBatch(harness.services, envelopeOf({ data: smallManifest(3), messageId: 'manifest' }));
    harness.clock.advance(MINUTE_MS);
    expect(await publish(harness, { batchId })()).toEqual(nothing);
    for (const { data, attributes } of jobMessages(harness)) {
      harness.clock.advance(MINUTE_MS);
      expect(await harness.submit({ data, attributes, publishTime: harness.clock.now() })).toMatchObject({
        outcome: 'CANCELLED',
      });
    }
    await pollFor(harness, 2);
    expect(harness.simulator.exportCalls).toEqual([]);
    expect(await batchOf(harness)).toMatchObject({ state: 'FINISHED', counts: { CANCELLED: 3 } });
    const events = harness.publisher.published.filter(
      ({ message }) => message.attributes['state'] === 'CANCELLED',
    );
    expect(events).toHaveLength(3);
    expect(await retryJobs(harness.services, { batchId })).toMatchObject({ started: 3 });
    await pollFor(harness, 2);
    expect(harness.simulator.operations()).toHaveLength(3);
  });
});
