import { describe, expect, it } from 'vitest';

import { expandBatch } from '../../shared/batch/expand-batch.ts';
import { cancelExports } from '../../shared/cancellation/cancel-exports.ts';
import { retryJobs } from '../../shared/retry/retry.ts';
import { recordIdOf } from '../../shared/model/ids.ts';
import { createMemoryStore } from '../../infra/local/memory/store.ts';
import { createHarness, envelopeOf, type Harness, smallJob } from '../harness.ts';
import { batchOf } from './batches.ts';
import { smallManifest } from './manifests.ts';

/** Jobs whose record was not created by a message of their batch. */

const idOf = (jobKey: string) => recordIdOf({ project: 'demo-test', jobKey, attempt: 1 });
const fast = { simulator: { settings: { pendingMs: 0, startsPerSecond: 100, concurrency: 10 } } };

/** Operations that do not end on their own. */
const slow = {
  pendingMs: 0,
  startsPerSecond: 100,
  concurrency: 100,
  runMs: [1e12, 1e12] as [number, number],
};

async function pollFor(harness: Harness, minutes: number): Promise<void> {
  for (let minute = 0; minute < minutes; minute += 1) {
    harness.clock.advance(60_000);
    await harness.poll();
  }
}

const expand = ({ services }: Harness, manifest: Record<string, unknown>) =>
  expandBatch(services, envelopeOf({ data: manifest }));

/** Removes and returns the job messages that were published. */
const takeJobs = ({ publisher, config }: Harness) =>
  publisher.published
    .splice(0)
    .filter(({ topic }) => topic === config.topics.jobs)
    .map(({ message }) => message);

async function deliverJobs(harness: Harness): Promise<void> {
  for (const { data } of takeJobs(harness)) {
    await harness.submit({ data });
  }
}

async function runToEnd(harness: Harness): Promise<void> {
  await harness.untilQuiet();
  harness.clock.advance(60_000);
  await harness.poll();
}

const sharing = (batchId: string) =>
  smallManifest(2, { batchId, job: smallJob({ jobKey: 'shared/${n}' }, { description: 'n-${n}' }) });

describe('two batches that have the same jobs', () => {
  it('both finish, whichever created the records', async () => {
    const harness = createHarness(fast);
    await expand(harness, sharing('one'));
    await expand(harness, sharing('two'));
    await deliverJobs(harness);
    await runToEnd(harness);
    expect(harness.simulator.operations()).toHaveLength(2);
    expect(await batchOf(harness, 'one@2026-11-23')).toMatchObject({ state: 'FINISHED', jobs: 2 });
    expect(await batchOf(harness, 'two@2026-11-23')).toMatchObject({ state: 'FINISHED', jobs: 2 });
    expect(await harness.record(idOf('shared/0'))).toMatchObject({
      state: 'SUCCEEDED',
      batchId: 'one@2026-11-23',
      alsoBatches: ['two@2026-11-23'],
    });
  });

  it('are both FINISHED only when the shared jobs have ended, and both count them', async () => {
    const harness = createHarness({ simulator: { settings: slow } });
    await expand(harness, sharing('one'));
    await expand(harness, sharing('two'));
    await deliverJobs(harness);
    await pollFor(harness, 3);
    expect(await batchOf(harness, 'two@2026-11-23')).toMatchObject({ state: 'RUNNING' });
    // Not even for a minute: each time, an event would say so.
    expect(harness.logged.filter(({ event }) => event === 'batch.finished')).toEqual([]);
    for (const { name } of harness.simulator.operations()) {
      harness.simulator.endOperation(name, { state: 'SUCCEEDED' });
    }
    await pollFor(harness, 3);
    for (const id of ['one@2026-11-23', 'two@2026-11-23']) {
      expect(await batchOf(harness, id)).toMatchObject({ state: 'FINISHED', counts: { SUCCEEDED: 2 } });
    }
  });

  it.each([
    ['messages', true],
    ['manifest', false],
  ])('are canceled with either batch, whose %s found them', async (_, areOnTheirWay) => {
    const harness = createHarness({ simulator: { settings: slow } });
    await expand(harness, sharing('one'));
    if (!areOnTheirWay) {
      await deliverJobs(harness);
    }
    await expand(harness, sharing('two'));
    await deliverJobs(harness);
    await pollFor(harness, 1);
    expect(
      await cancelExports(harness.services, envelopeOf({ data: { batchId: 'two@2026-11-23' } })),
    ).toMatchObject({ records: 2, operations: 2 });
    await pollFor(harness, 5);
    expect(harness.simulator.operations().map(({ state }) => state)).toEqual(['CANCELLED', 'CANCELLED']);
    for (const id of ['one@2026-11-23', 'two@2026-11-23']) {
      expect(await batchOf(harness, id)).toMatchObject({ state: 'FINISHED', counts: { CANCELLED: 2 } });
    }
  });

  it('are retried with either batch, and both are RUNNING until the retry has ended', async () => {
    const harness = createHarness({ simulator: { settings: slow } });
    await expand(harness, sharing('one'));
    await expand(harness, sharing('two'));
    await deliverJobs(harness);
    await cancelExports(harness.services, envelopeOf({ data: { batchId: 'one@2026-11-23' } }));
    await pollFor(harness, 5);
    const batches = ['one@2026-11-23', 'two@2026-11-23'];
    expect(await retryJobs(harness.services, { batchId: 'two@2026-11-23' })).toMatchObject({ started: 2 });
    await pollFor(harness, 3);
    for (const id of batches) {
      expect(await batchOf(harness, id)).toMatchObject({ state: 'RUNNING' });
    }
    for (const { name } of harness.simulator.operations().slice(2)) {
      harness.simulator.endOperation(name, { state: 'SUCCEEDED' });
    }
    await pollFor(harness, 3);
    for (const id of batches) {
      expect(await batchOf(harness, id)).toMatchObject({
        state: 'FINISHED',
        counts: { CANCELLED: 2, SUCCEEDED: 2 },
      });
    }
  });

  it('are RUNNING again if a message that arrives late shares a job that runs', async () => {
    const harness = createHarness({ simulator: { settings: { ...slow, runMs: [1000, 1000] } } });
    await expand(harness, sharing('two'));
    const [first, second] = takeJobs(harness);
    await harness.submit({ data: first?.data ?? '' });
    await harness.submit({ data: smallJob({ jobKey: 'extra', batchId: 'two@2026-11-23' }) });
    await pollFor(harness, 3);
    expect(await batchOf(harness, 'two@2026-11-23')).toMatchObject({ state: 'FINISHED' });
    harness.simulator.set(slow);
    await expand(harness, sharing('one'));
    await deliverJobs(harness);
    await harness.submit({ data: second?.data ?? '' });
    await pollFor(harness, 2);
    expect(await batchOf(harness, 'two@2026-11-23')).toMatchObject({ state: 'RUNNING' });
  });

  it('count a job once if it was published twice', async () => {
    const harness = createHarness(fast);
    await expand(harness, sharing('one'));
    await expand(harness, sharing('two'));
    const [first, second, third, fourth] = takeJobs(harness);
    for (const message of [first, second, third, third]) {
      await harness.submit({ data: message?.data ?? '' });
    }
    await runToEnd(harness);
    expect(await batchOf(harness, 'one@2026-11-23')).toMatchObject({ state: 'FINISHED' });
    expect(await batchOf(harness, 'two@2026-11-23')).toMatchObject({ state: 'RUNNING' });
    await harness.submit({ data: fourth?.data ?? '' });
    await harness.poll();
    expect(await batchOf(harness, 'two@2026-11-23')).toMatchObject({ state: 'FINISHED' });
  });

  it('cost no write if a message of the same batch is redelivered', async () => {
    const harness = createHarness(fast);
    await expand(harness, sharing('one'));
    const jobs = takeJobs(harness);
    for (const { data } of [...jobs, ...jobs, ...jobs]) {
      await harness.submit({ data });
    }
    const { revision, alsoBatches } = await harness.record(idOf('shared/0'));
    expect({ revision, alsoBatches }).toEqual({ revision: 2, alsoBatches: undefined });
  });

  it('are stored on a record in a bounded number', async () => {
    const harness = createHarness(fast);
    for (let n = 0; n < 110; n += 1) {
      await harness.submit({ data: smallJob({ jobKey: 'popular', batchId: `batch-${n}` }) });
    }
    expect((await harness.record(idOf('popular'))).alsoBatches).toHaveLength(100);
  });
});

describe('a job canceled by its key while its message is on its way', () => {
  it('becomes part of its batch, which finishes', async () => {
    const harness = createHarness(fast);
    await expand(harness, smallManifest(2));
    await cancelExports(harness.services, envelopeOf({ data: { jobKey: 'small/2026-11-23/0' } }));
    await deliverJobs(harness);
    await runToEnd(harness);
    expect(await batchOf(harness)).toMatchObject({
      state: 'FINISHED',
      counts: { SUCCEEDED: 1, CANCELLED: 1 },
    });
  });
});

describe('a job that is rejected twice', () => {
  it('is not counted in place of one whose message has not arrived', async () => {
    const harness = createHarness(fast);
    await expand(harness, smallManifest(2));
    const [first, second] = takeJobs(harness);
    const strict = harness.instance((services) => ({
      ...services,
      config: { ...services.config, allowedDestinations: ['gs://other/*'] },
    }));
    await strict.submit({ data: first?.data ?? '' });
    await strict.submit({ data: first?.data ?? '' });
    await runToEnd(harness);
    expect(await batchOf(harness)).toMatchObject({ state: 'RUNNING' });
    await strict.submit({ data: second?.data ?? '' });
    await runToEnd(harness);
    expect(await batchOf(harness)).toMatchObject({
      state: 'FINISHED',
      rejectedMessages: 2,
    });
  });
});

describe('a sender that marks its message as a retry', () => {
  it('has no effect: the batch counts the job, and finishes', async () => {
    const harness = createHarness(fast);
    await expand(harness, smallManifest(1));
    const [job] = takeJobs(harness);
    await harness.submit({ data: job?.data ?? '', attributes: { retryOf: idOf('other') } });
    await runToEnd(harness);
    expect(await harness.record(idOf('small/2026-11-23/0'))).not.toHaveProperty('retryOf');
    expect(await batchOf(harness)).toMatchObject({ state: 'FINISHED' });
  });
});

describe('a job with the batchId of a manifest that does not have it', () => {
  it('may finish the batch too early, which is RUNNING again when the missing job arrives, and finishes again', async () => {
    const harness = createHarness(fast);
    await expand(harness, smallManifest(2));
    const [first, second] = takeJobs(harness);
    await harness.submit({ data: first?.data ?? '' });
    await harness.submit({ data: smallJob({ jobKey: 'extra', batchId: 'small@2026-11-23' }) });
    await runToEnd(harness);
    const early = await batchOf(harness);
    expect(early).toMatchObject({ state: 'FINISHED', counts: { SUCCEEDED: 2 } });
    harness.clock.advance(60_000);
    await harness.poll();
    expect(await batchOf(harness)).toEqual(early);

    await harness.submit({ data: second?.data ?? '' });
    await harness.poll();
    const again = await batchOf(harness);
    expect(again).toMatchObject({ state: 'RUNNING' });
    expect(again).not.toHaveProperty('expireAt');
    await runToEnd(harness);
    const ended = await batchOf(harness);
    expect(ended).toMatchObject({ state: 'FINISHED', counts: { SUCCEEDED: 3 } });
    harness.clock.advance(60_000);
    await harness.poll();
    expect(await batchOf(harness)).toEqual(ended);
  });

  it('may finish the batch days before the missing job arrives, within the retention time of Pub/Sub', async () => {
    const harness = createHarness(fast);
    await expand(harness, smallManifest(2));
    const [first, second] = takeJobs(harness);
    await harness.submit({ data: first?.data ?? '' });
    await harness.submit({ data: smallJob({ jobKey: 'extra', batchId: 'small@2026-11-23' }) });
    await runToEnd(harness);
    harness.clock.advance(6 * 86_400_000);
    await harness.submit({ data: second?.data ?? '' });
    // One run per minute, as in production: only one run per hour checks the older batches.
    for (let minute = 0; minute < 61; minute += 1) {
      harness.clock.advance(60_000);
      await harness.poll();
    }
    expect(await batchOf(harness)).toMatchObject({
      state: 'FINISHED',
      counts: { SUCCEEDED: 3 },
    });
  });
});

describe('a batch whose manifest is no longer delivered', () => {
  it('expires, unless all of its jobs are published', async () => {
    const harness = createHarness(fast);
    const dying = {
      ...harness.services,
      publisher: { ...harness.publisher, publish: () => Promise.reject(new Error('killed')) },
    };
    const manifest = envelopeOf({ data: smallManifest(2) });
    await expect(expandBatch(dying, manifest)).rejects.toThrow('killed');
    const { state, expireAt } = await batchOf(harness);
    expect(state).toBe('EXPANDING');
    expect(expireAt?.getTime()).toBeGreaterThan(harness.clock.now().getTime() + 7 * 86_400_000);
    await expandBatch(harness.services, manifest);
    const published = await batchOf(harness);
    expect(published).toMatchObject({ state: 'RUNNING' });
    expect(published).not.toHaveProperty('expireAt');
  });

  it('does not expire if it is canceled while it is expanding', async () => {
    const harness = createHarness(fast);
    const dying = {
      ...harness.services,
      publisher: { ...harness.publisher, publish: () => Promise.reject(new Error('killed')) },
    };
    await expect(expandBatch(dying, envelopeOf({ data: smallManifest(2) }))).rejects.toThrow('killed');
    await cancelExports(harness.services, envelopeOf({ data: { batchId: 'small@2026-11-23' } }));
    expect(await batchOf(harness)).not.toHaveProperty('expireAt');
  });
});

describe('a batch that runs longer than its records are kept', () => {
  const days = 86_400_000;

  it('is FINISHED when its last job ends, and counts the jobs whose records are deleted', async () => {
    const store = createMemoryStore();
    const harness = createHarness({
      store,
      environment: { RETENTION_DAYS: '31' },
      simulator: { settings: slow },
    });
    await expand(harness, smallManifest(3));
    const [first, second, third] = takeJobs(harness);
    await harness.submit({ data: first?.data ?? '' });
    await harness.submit({ data: second?.data ?? '' });
    const strict = harness.instance((services) => ({
      ...services,
      config: { ...services.config, allowedDestinations: ['gs://other/*'] },
    }));
    await strict.submit({ data: third?.data ?? '', messageId: 'rejected' });
    await pollFor(harness, 1);
    const [early, late] = harness.simulator.operations();
    harness.simulator.endOperation(early?.name ?? '', { state: 'SUCCEEDED' });
    await pollFor(harness, 2);
    harness.clock.advance(32 * days);
    for (const { id, value } of await harness.records()) {
      if ('expireAt' in value && value.expireAt < harness.clock.now()) {
        store.remove(`videoExports/${id}`);
      }
    }
    store.remove('rejectedMessages/rejected');
    harness.clock.advance(7 * days);
    await pollFor(harness, 2);
    expect(await batchOf(harness)).toMatchObject({ state: 'RUNNING' });
    harness.simulator.endOperation(late?.name ?? '', { state: 'SUCCEEDED' });
    await pollFor(harness, 60);
    expect(await batchOf(harness)).toMatchObject({
      state: 'FINISHED',
      counts: { SUCCEEDED: 1 },
      rejectedMessages: 0,
      expired: 2,
    });
  });

  it('is not FINISHED while a message may still arrive', async () => {
    const harness = createHarness(fast);
    await expand(harness, smallManifest(2));
    const [first] = takeJobs(harness);
    await harness.submit({ data: first?.data ?? '' });
    await runToEnd(harness);
    harness.clock.advance(37 * days);
    await harness.poll();
    expect(await batchOf(harness)).toMatchObject({ state: 'RUNNING' });
  });
});
