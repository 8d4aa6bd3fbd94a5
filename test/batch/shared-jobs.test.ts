import { describe, expect, it } from 'vitest';

import type { Batch } from '../../shared/model/batch.ts';
import { expandBatch } from '../../shared/batch/expand-batch.ts';
import { cancelExports } from '../../shared/cancellation/cancel-exports.ts';
import { recordIdOf } from '../../shared/model/ids.ts';
import { isReadable } from '../../shared/store/store.ts';
import { createHarness, envelopeOf, type Harness, smallJob } from '../harness.ts';
import { smallManifest } from './manifests.ts';

/** Jobs whose record is not made by the message of their batch. */

const idOf = (jobKey: string) => recordIdOf({ project: 'demo-test', jobKey, attempt: 1 });
const fast = { simulator: { settings: { pendingMs: 0, startsPerSecond: 100, concurrency: 10 } } };

const batchOf = async ({ store }: Harness, id: string): Promise<Batch> => {
  const found = await store.batches.get(id);
  if (!found || !isReadable(found)) {
    throw new Error(`no batch ${id}`);
  }
  return found.value;
};

const expand = ({ services }: Harness, manifest: Record<string, unknown>) =>
  expandBatch(services, envelopeOf({ data: manifest }));

/** Takes the job messages that were published. */
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
  it('both finish, whoever made the records', async () => {
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

  it('leave a job counted once that was published twice', async () => {
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

  it('cost no write where a message of the same batch comes again', async () => {
    const harness = createHarness(fast);
    await expand(harness, sharing('one'));
    const jobs = takeJobs(harness);
    for (const { data } of [...jobs, ...jobs, ...jobs]) {
      await harness.submit({ data });
    }
    const { revision, alsoBatches } = await harness.record(idOf('shared/0'));
    expect({ revision, alsoBatches }).toEqual({ revision: 2, alsoBatches: undefined });
  });

  it('remember a bounded number of them', async () => {
    const harness = createHarness(fast);
    for (let n = 0; n < 110; n += 1) {
      await harness.submit({ data: smallJob({ jobKey: 'popular', batchId: `batch-${n}` }) });
    }
    expect((await harness.record(idOf('popular'))).alsoBatches).toHaveLength(100);
  });
});

describe('a job cancelled by its key while its message is on its way', () => {
  it('becomes one of its batch, which finishes', async () => {
    const harness = createHarness(fast);
    await expand(harness, smallManifest(2));
    await cancelExports(harness.services, envelopeOf({ data: { jobKey: 'small/2026-11-23/0' } }));
    await deliverJobs(harness);
    await runToEnd(harness);
    expect(await batchOf(harness, 'small@2026-11-23')).toMatchObject({
      state: 'FINISHED',
      counts: { SUCCEEDED: 1, CANCELLED: 1 },
    });
  });
});

describe('a job that is refused twice', () => {
  it('does not stand for one that has not come', async () => {
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
    expect(await batchOf(harness, 'small@2026-11-23')).toMatchObject({ state: 'RUNNING' });
    await strict.submit({ data: second?.data ?? '' });
    await runToEnd(harness);
    expect(await batchOf(harness, 'small@2026-11-23')).toMatchObject({
      state: 'FINISHED',
      rejectedMessages: 2,
    });
  });
});

describe('a publisher that says its job is another attempt', () => {
  it('is not believed: the batch counts the job, and finishes', async () => {
    const harness = createHarness(fast);
    await expand(harness, smallManifest(1));
    const [job] = takeJobs(harness);
    await harness.submit({ data: job?.data ?? '', attributes: { retryOf: idOf('other') } });
    await runToEnd(harness);
    expect(await harness.record(idOf('small/2026-11-23/0'))).not.toHaveProperty('retryOf');
    expect(await batchOf(harness, 'small@2026-11-23')).toMatchObject({ state: 'FINISHED' });
  });
});

describe('a job of the same batchId that its manifest does not have', () => {
  it('may end the batch too early: it is RUNNING again once the missing one has come, and ends once more', async () => {
    const harness = createHarness(fast);
    await expand(harness, smallManifest(2));
    const [first, second] = takeJobs(harness);
    await harness.submit({ data: first?.data ?? '' });
    await harness.submit({ data: smallJob({ jobKey: 'by hand', batchId: 'small@2026-11-23' }) });
    await runToEnd(harness);
    const early = await batchOf(harness, 'small@2026-11-23');
    expect(early).toMatchObject({ state: 'FINISHED', counts: { SUCCEEDED: 2 } });
    harness.clock.advance(60_000);
    await harness.poll();
    expect(await batchOf(harness, 'small@2026-11-23')).toEqual(early);

    await harness.submit({ data: second?.data ?? '' });
    await harness.poll();
    const again = await batchOf(harness, 'small@2026-11-23');
    expect(again).toMatchObject({ state: 'RUNNING' });
    expect(again).not.toHaveProperty('expireAt');
    await runToEnd(harness);
    const ended = await batchOf(harness, 'small@2026-11-23');
    expect(ended).toMatchObject({ state: 'FINISHED', counts: { SUCCEEDED: 3 } });
    harness.clock.advance(60_000);
    await harness.poll();
    expect(await batchOf(harness, 'small@2026-11-23')).toEqual(ended);
  });

  it('is waited for days later, within the time that Pub/Sub takes at most', async () => {
    const harness = createHarness(fast);
    await expand(harness, smallManifest(2));
    const [first, second] = takeJobs(harness);
    await harness.submit({ data: first?.data ?? '' });
    await harness.submit({ data: smallJob({ jobKey: 'by hand', batchId: 'small@2026-11-23' }) });
    await runToEnd(harness);
    harness.clock.advance(6 * 86_400_000);
    await harness.submit({ data: second?.data ?? '' });
    // A run each minute, as in production: the older batches are looked at in one of an hour's.
    for (let minute = 0; minute < 61; minute += 1) {
      harness.clock.advance(60_000);
      await harness.poll();
    }
    expect(await batchOf(harness, 'small@2026-11-23')).toMatchObject({
      state: 'FINISHED',
      counts: { SUCCEEDED: 3 },
    });
  });
});

describe('a batch whose manifest is delivered no more', () => {
  it('expires, and not once all of it is published', async () => {
    const harness = createHarness(fast);
    const dying = {
      ...harness.services,
      publisher: { ...harness.publisher, publish: () => Promise.reject(new Error('killed')) },
    };
    const manifest = envelopeOf({ data: smallManifest(2) });
    await expect(expandBatch(dying, manifest)).rejects.toThrow('killed');
    const { state, expireAt } = await batchOf(harness, 'small@2026-11-23');
    expect(state).toBe('EXPANDING');
    expect(expireAt?.getTime()).toBeGreaterThan(harness.clock.now().getTime() + 7 * 86_400_000);
    await expandBatch(harness.services, manifest);
    const published = await batchOf(harness, 'small@2026-11-23');
    expect(published).toMatchObject({ state: 'RUNNING' });
    expect(published).not.toHaveProperty('expireAt');
  });

  it('does not expire where it is cancelled while it is expanding', async () => {
    const harness = createHarness(fast);
    const dying = {
      ...harness.services,
      publisher: { ...harness.publisher, publish: () => Promise.reject(new Error('killed')) },
    };
    await expect(expandBatch(dying, envelopeOf({ data: smallManifest(2) }))).rejects.toThrow('killed');
    await cancelExports(harness.services, envelopeOf({ data: { batchId: 'small@2026-11-23' } }));
    expect(await batchOf(harness, 'small@2026-11-23')).not.toHaveProperty('expireAt');
  });
});
