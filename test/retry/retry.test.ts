import { describe, expect, it } from 'vitest';

import { expandBatch } from '../../shared/batch/expand-batch.ts';
import { finishBatches } from '../../shared/batch/finish-batches.ts';
import { retryJobs } from '../../shared/retry/retry.ts';
import { cancelExports } from '../../shared/cancellation/cancel-exports.ts';
import { later } from '../../shared/clock.ts';
import { UnreadableError } from '../../shared/errors.ts';
import { recordIdOf } from '../../shared/model/ids.ts';
import type { Services } from '../../shared/services.ts';
import { createHarness, envelopeOf, type Harness, type HarnessOptions, smallJob } from '../harness.ts';
import { batchOf, jobMessages } from '../batch/batches.ts';
import { smallManifest } from '../batch/manifests.ts';

const idOf = (jobKey: string, attempt = 1) => recordIdOf({ project: 'demo-test', jobKey, attempt });

const fast = { pendingMs: 0, startsPerSecond: 100, concurrency: 10 };
const failing = (...patterns: [string, string][]): HarnessOptions => ({
  simulator: {
    settings: { ...fast, failing: patterns.map(([pattern, message]) => ({ pattern, code: 13, message })) },
  },
});
const transient = 'Internal error.';
const memory = 'User memory limit exceeded.';

/** A harness in which a job of this key has failed. */
async function failed(message: string, jobKey = 'test/1'): Promise<Harness> {
  const harness = createHarness(failing(['small', message]));
  await harness.submit({ data: smallJob({ jobKey, labels: { team: 'water' } }) });
  await harness.untilQuiet();
  harness.simulator.set({ failing: [] });
  return harness;
}

const finish = (harness: Harness) => finishBatches(harness.services, later(harness.clock.now(), 60_000));

describe('retrying a job', () => {
  it('creates a new attempt from the stored request, with a link to the old one', async () => {
    const harness = await failed(transient);
    const result = await retryJobs(harness.services, { jobKeys: ['test/1', 'test/2'] });
    expect(result).toEqual({
      started: 1,
      attempts: [{ recordId: idOf('test/1', 2), retryOf: idOf('test/1') }],
      skipped: {},
      damaged: [],
      unknown: ['test/2'],
    });
    await harness.untilQuiet();
    const [first, second] = [await harness.record(idOf('test/1')), await harness.record(idOf('test/1', 2))];
    expect(second).toMatchObject({
      state: 'SUCCEEDED',
      attempt: 2,
      retryOf: idOf('test/1'),
      requestId: idOf('test/1', 2),
      contentHash: first.contentHash,
      labels: { team: 'water' },
      destination: first.destination,
    });
    expect(first).toMatchObject({ state: 'FAILED' });
    expect(second.description).toBe(`small_${idOf('test/1', 2)}`);
    // If a sender publishes a message for that attempt, it finds the record.
    const again = smallJob({ attempt: 2, labels: { team: 'water' } });
    expect(await harness.submit({ data: again })).toMatchObject({ outcome: 'DUPLICATE' });
  });

  it('happens once, however often it is requested, and never while an attempt is active', async () => {
    const harness = await failed(transient);
    const selection = { recordIds: [idOf('test/1')] };
    const both = await Promise.all([
      retryJobs(harness.services, selection),
      retryJobs(harness.services, selection),
    ]);
    expect(both.map(({ started }) => started).sort((a, b) => a - b)).toEqual([0, 1]);
    expect(await retryJobs(harness.services, { jobKeys: ['test/1'] })).toMatchObject({
      started: 0,
      skipped: { NOT_ENDED: 1 },
    });
    expect(await retryJobs(harness.services, selection)).toMatchObject({ skipped: { LATER_ATTEMPT: 1 } });
    await harness.untilQuiet();
    expect(await retryJobs(harness.services, { jobKeys: ['test/1'] })).toMatchObject({
      skipped: { SUCCEEDED: 1 },
    });
    expect(harness.simulator.operations()).toHaveLength(2);
  });

  it('detects later attempts of any number', async () => {
    const harness = await failed(transient);
    await harness.submit({ data: smallJob({ attempt: 7 }) });
    expect(await retryJobs(harness.services, { recordIds: [idOf('test/1')] })).toMatchObject({
      started: 0,
      skipped: { LATER_ATTEMPT: 1 },
    });
  });

  it('does not happen if the job would most likely fail the same way, unless forced', async () => {
    const harness = await failed(memory);
    const selection = { recordIds: [idOf('test/1'), 've1-none'] };
    expect(await retryJobs(harness.services, selection)).toMatchObject({
      started: 0,
      skipped: { NOT_RETRYABLE: 1 },
      unknown: ['ve1-none'],
    });
    expect(await retryJobs(harness.services, selection, { force: true, dryRun: true })).toMatchObject({
      started: 1,
    });
    expect(await harness.records()).toHaveLength(1);
    expect(await retryJobs(harness.services, selection, { force: true })).toMatchObject({ started: 1 });
    await harness.untilQuiet();
    expect(await harness.record(idOf('test/1', 2))).toMatchObject({ state: 'SUCCEEDED' });
  });

  it('finds records by label, including those of jobs without a key', async () => {
    const harness = createHarness(failing(['small', transient]));
    const labels = { team: 'water' };
    await harness.submit({ data: smallJob({ jobKey: undefined, labels }) });
    await harness.submit({ data: smallJob({ jobKey: 'a', labels }) });
    await harness.submit({ data: smallJob({ jobKey: 'b', labels: { team: 'air' } }) });
    await harness.untilQuiet();
    expect(await retryJobs(harness.services, { label: ['team', 'water'] })).toMatchObject({ started: 2 });
    await harness.untilQuiet();
    expect(await retryJobs(harness.services, { label: ['team', 'water'] })).toMatchObject({
      started: 2,
      skipped: { LATER_ATTEMPT: 2 },
    });
    const attempts = (await harness.records()).map(({ value }) => value.attempt).sort((a, b) => a - b);
    expect(attempts).toEqual([1, 1, 1, 2, 2, 3, 3]);
  });

  it('is impossible if the job was canceled before its message arrived', async () => {
    const harness = createHarness();
    await cancelExports(harness.services, envelopeOf({ data: { jobKey: 'test/1' } }));
    expect(await retryJobs(harness.services, { jobKeys: ['test/1'] })).toMatchObject({
      skipped: { NO_REQUEST: 1 },
    });
  });
});

describe('retrying a batch', () => {
  async function expanded(options: HarnessOptions): Promise<Harness> {
    const harness = createHarness(options);
    await expandBatch(harness.services, envelopeOf({ data: smallManifest(5), messageId: 'manifest' }));
    for (const { data } of jobMessages(harness)) {
      await harness.submit({ data });
    }
    return harness;
  }

  it('makes it RUNNING first, and FINISHED again with the counts of all attempts', async () => {
    const harness = await expanded(failing(['n-[12]_', transient], ['n-3_', memory]));
    await harness.untilQuiet();
    await finish(harness);
    expect(await batchOf(harness)).toMatchObject({ state: 'FINISHED', counts: { SUCCEEDED: 2, FAILED: 3 } });
    harness.simulator.set({ failing: [] });

    // A poll during the retry must not finish the batch.
    const { records } = harness.store;
    const interrupted: Services = {
      ...harness.services,
      store: {
        ...harness.store,
        records: {
          ...records,
          create: async (...call) => {
            expect(await batchOf(harness)).toMatchObject({ state: 'RUNNING' });
            expect(await finish(harness)).toBe(0);
            return records.create(...call);
          },
        },
      },
    };
    expect(await retryJobs(interrupted, { batchId: 'small@2026-11-23' })).toMatchObject({
      started: 2,
      skipped: { NOT_RETRYABLE: 1 },
    });
    expect(await finish(harness)).toBe(0);
    const running = await batchOf(harness);
    expect(running).toMatchObject({ state: 'RUNNING' });
    expect(running).not.toHaveProperty('expireAt');
    await harness.untilQuiet();
    await finish(harness);
    expect(await batchOf(harness)).toMatchObject({ state: 'FINISHED', counts: { SUCCEEDED: 4, FAILED: 3 } });
    const events = harness.publisher.published.filter(
      ({ message }) => message.attributes['kind'] === 'BATCH',
    );
    expect(new Set(events.map(({ message }) => message.attributes['eventId'])).size).toBe(2);
  });

  /** Retries a batch, and stands still before the last record until the batch has finished without it. */
  async function retriedByASlowProcess({ dies = false } = {}): Promise<Harness> {
    const harness = await expanded(failing(['n-[12]_', transient]));
    await harness.untilQuiet();
    await finish(harness);
    harness.simulator.set({ failing: [] });
    const { records, batches } = harness.store;
    const firstCreated = Promise.withResolvers<unknown>();
    let isDead = false;
    const slow: Services = {
      ...harness.services,
      store: {
        ...harness.store,
        batches: {
          ...batches,
          replace: async (...call) => {
            if (isDead) {
              throw new Error('the process died');
            }
            return batches.replace(...call);
          },
        },
        records: {
          ...records,
          create: async (id, ...call) => {
            if (id === idOf('small/2026-11-23/1', 2)) {
              const created = await records.create(id, ...call);
              firstCreated.resolve(undefined);
              return created;
            }
            await firstCreated.promise;
            harness.clock.advance(6 * 60_000);
            await harness.untilQuiet();
            expect(await batchOf(harness)).toMatchObject({ state: 'FINISHED' });
            isDead = dies;
            return records.create(id, ...call);
          },
        },
      },
    };
    const result = retryJobs(slow, { batchId: 'small@2026-11-23' });
    await (dies
      ? expect(result).rejects.toThrow('died')
      : expect(result).resolves.toMatchObject({ started: 2 }));
    return harness;
  }

  it('makes it RUNNING again if it finished while the process that retries it stood still', async () => {
    const harness = await retriedByASlowProcess();
    expect(await batchOf(harness)).toMatchObject({ state: 'RUNNING' });
    await harness.untilQuiet();
    await finish(harness);
    expect(await batchOf(harness)).toMatchObject({ state: 'FINISHED', counts: { SUCCEEDED: 5, FAILED: 2 } });
  });

  it('counts a record that such a process created before it crashed', async () => {
    const harness = await retriedByASlowProcess({ dies: true });
    expect(await batchOf(harness)).toMatchObject({ state: 'FINISHED' });
    await finish(harness);
    expect(await batchOf(harness)).toMatchObject({ state: 'RUNNING' });
    await harness.untilQuiet();
    await finish(harness);
    expect(await batchOf(harness)).toMatchObject({ state: 'FINISHED', counts: { SUCCEEDED: 5, FAILED: 2 } });
  });

  it('skips and lists jobs whose stored request is damaged, and goes on', async () => {
    const harness = await expanded(failing(['small', transient], ['n-', transient]));
    await harness.untilQuiet();
    const damaged = idOf('small/2026-11-23/0');
    const { records } = harness.store;
    const services: Services = {
      ...harness.services,
      store: {
        ...harness.store,
        records: {
          ...records,
          readRequest: async (id) => {
            if (id === damaged) {
              throw new UnreadableError(id, 'part 0 is missing');
            }
            return records.readRequest(id);
          },
        },
      },
    };
    expect(await retryJobs(services, { batchId: 'small@2026-11-23' })).toMatchObject({
      started: 4,
      skipped: { REQUEST_DAMAGED: 1 },
      damaged: [damaged],
    });
  });

  it('that is being canceled waits until that is over', async () => {
    const harness = await expanded({
      simulator: { settings: { ...fast, runMs: [36e6, 36e6], cancelMs: 90_000 } },
    });
    const batchId = 'small@2026-11-23';
    harness.clock.advance(5000);
    await harness.poll();
    await cancelExports(harness.services, envelopeOf({ data: { jobKey: 'small/2026-11-23/0' } }));
    harness.clock.advance(100_000);
    await harness.poll();
    await cancelExports(harness.services, envelopeOf({ data: { batchId } }));
    await harness.poll();
    expect(await retryJobs(harness.services, { batchId })).toMatchObject({
      started: 0,
      skipped: { BATCH_CANCELLING: 1 },
    });
    await harness.untilQuiet();
    await finish(harness);
    expect(await batchOf(harness)).toMatchObject({ state: 'FINISHED', counts: { CANCELLED: 5 } });
    harness.simulator.set({ runMs: [1000, 1000] });
    expect(await retryJobs(harness.services, { batchId })).toMatchObject({ started: 5 });
    expect(await batchOf(harness)).not.toHaveProperty('cancelRequestedAt');
    await harness.untilQuiet();
    await finish(harness);
    expect(await batchOf(harness)).toMatchObject({ counts: { CANCELLED: 5, SUCCEEDED: 5 } });
  });
});
