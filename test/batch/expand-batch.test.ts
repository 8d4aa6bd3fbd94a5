import { describe, expect, it } from 'vitest';

import { expandBatch } from '../../shared/batch/expand-batch.ts';
import { finishBatches } from '../../shared/batch/finish-batches.ts';
import { later } from '../../shared/clock.ts';
import type { RejectedMessage } from '../../shared/model/rejected-message.ts';
import type { Services } from '../../shared/services.ts';
import { isReadable } from '../../shared/store/store.ts';
import { createHarness, envelopeOf, type Harness, smallJob } from '../harness.ts';
import { batchOf, jobMessages } from './batches.ts';
import { landsatManifest, smallManifest } from './manifests.ts';

const rejectionOf = async ({ store }: Harness, messageId: string): Promise<RejectedMessage | undefined> => {
  const found = await store.rejectedMessages.get(messageId);
  return found && isReadable(found) ? found.value : undefined;
};

const deliver = (harness: Harness, data: unknown, messageId = 'manifest-1', services = harness.services) =>
  expandBatch(services, envelopeOf({ data, messageId }));

/** Delivers the job messages that were published since the last call. */
function createJobDelivery(harness: Harness): () => Promise<void> {
  let delivered = 0;
  return async () => {
    const messages = jobMessages(harness).slice(delivered);
    delivered += messages.length;
    for (const { data } of messages) {
      await harness.submit({ data });
    }
  };
}

const finish = (harness: Harness) => finishBatches(harness.services, later(harness.clock.now(), 60_000));

const batchEvents = ({ publisher, config }: Harness) =>
  publisher.published
    .filter(({ topic, message }) => topic === config.topics.events && message.attributes['kind'] === 'BATCH')
    .map(({ message }) => message);

describe('a manifest', () => {
  it('delivered three times, once after a crash halfway, makes six operations and one finished batch', async () => {
    const harness = createHarness();
    const deliverJobs = createJobDelivery(harness);
    const manifest = landsatManifest();

    // The process dies after it published three of the jobs and before it could record that.
    const dying: Services = {
      ...harness.services,
      publisher: {
        ...harness.publisher,
        publish: async (topic, messages, timeoutMs) => {
          await harness.publisher.publish(topic, messages.slice(0, 3), timeoutMs);
          throw new Error('killed');
        },
      },
    };
    await expect(deliver(harness, manifest, 'manifest-1', dying)).rejects.toThrow('killed');
    expect(await batchOf(harness, 'weekly-timelapse@2026-11-23')).toMatchObject({
      state: 'EXPANDING',
      jobs: 6,
      published: 0,
    });

    expect(await deliver(harness, manifest)).toEqual({
      outcome: 'PUBLISHED',
      batchId: 'weekly-timelapse@2026-11-23',
      jobs: 6,
    });
    expect(await deliver(harness, manifest, 'manifest-2')).toMatchObject({ outcome: 'DUPLICATE' });
    expect(jobMessages(harness)).toHaveLength(9);
    await deliverJobs();
    expect(await finish(harness)).toBe(0);
    await harness.untilQuiet();

    const operations = harness.simulator.operations();
    expect(operations.map(({ state }) => state)).toEqual(Array(6).fill('SUCCEEDED'));
    expect(operations.map(({ destination }) => destination.replace('.mp4', '')).sort()).toEqual(
      ['alps', 'vegas'].flatMap((region) =>
        [2018, 2019, 2020].map((year) => `gs://my-bucket/${region}/${year}`),
      ),
    );
    const records = await harness.records();
    expect(new Set(records.map(({ value }) => value.contentHash)).size).toBe(6);
    expect(records.every(({ value }) => value.batchId === 'weekly-timelapse@2026-11-23')).toBe(true);

    await finish(harness);
    expect(await finish(harness)).toBe(0);
    const batch = await batchOf(harness, 'weekly-timelapse@2026-11-23');
    expect(batch).toMatchObject({ state: 'FINISHED', counts: { SUCCEEDED: 6 }, rejectedMessages: 0 });
    const eecuSeconds = records.map(({ value }) => ('eecuSeconds' in value ? (value.eecuSeconds ?? 0) : 0));
    expect(batch.eecuSeconds).toBeCloseTo(eecuSeconds.reduce((sum, seconds) => sum + seconds, 0));
    expect(batch.expireAt).toEqual(later(batch.finishedAt ?? new Date(0), 90 * 86_400_000));
    expect(batch.owesEvent).toBeUndefined();
    expect(batchEvents(harness).map(({ attributes }) => attributes)).toMatchObject([
      { batchId: 'weekly-timelapse@2026-11-23', state: 'FINISHED' },
    ]);
  });

  it('continues where it stopped, chunk by chunk', async () => {
    const harness = createHarness();
    const manifest = smallManifest(2000);
    let chunks = 0;
    const failing: Services = {
      ...harness.services,
      publisher: {
        ...harness.publisher,
        publish: async (topic, messages, timeoutMs) => {
          chunks += 1;
          const outcomes = await harness.publisher.publish(topic, messages, timeoutMs);
          return chunks === 3 ? [...outcomes.slice(1), { error: new Error('deadline') }] : outcomes;
        },
      },
    };
    await expect(deliver(harness, manifest, 'm', failing)).rejects.toMatchObject({ code: 'PUBLISH_FAILED' });
    expect(await batchOf(harness)).toMatchObject({ published: 1000 });
    // Another message does not have to wait either, since the failed delivery released its claim.
    await deliver(harness, manifest, 'other');
    expect(await batchOf(harness)).toMatchObject({ state: 'RUNNING', published: 2000 });
    const keys = jobMessages(harness).map(
      ({ data }) => (JSON.parse(new TextDecoder().decode(data)) as { jobKey: string }).jobKey,
    );
    expect(keys).toHaveLength(2500);
    expect(new Set(keys).size).toBe(2000);
  });

  it('stops at its time limit and continues with the next delivery', async () => {
    const harness = createHarness();
    const slow: Services = {
      ...harness.services,
      publisher: {
        ...harness.publisher,
        publish: async (topic, messages, timeoutMs) => {
          harness.clock.advance(5 * 60_000);
          return harness.publisher.publish(topic, messages, timeoutMs);
        },
      },
    };
    const manifest = smallManifest(1800);
    await expect(deliver(harness, manifest, 'm', slow)).rejects.toMatchObject({ code: 'BATCH_UNFINISHED' });
    expect(await batchOf(harness)).toMatchObject({ published: 1000, state: 'EXPANDING' });
    expect(await deliver(harness, manifest, 'm', slow)).toMatchObject({ outcome: 'PUBLISHED' });
    expect(jobMessages(harness)).toHaveLength(1800);
  });

  it('is left to the delivery that expands it, except by a redelivery of the same message', async () => {
    const harness = createHarness();
    const manifest = smallManifest(1200);
    const hanging = Promise.withResolvers<void>();
    const held = Promise.withResolvers<void>();
    const slow: Services = {
      ...harness.services,
      publisher: {
        ...harness.publisher,
        publish: async (topic, messages, timeoutMs) => {
          held.resolve();
          await hanging.promise;
          return harness.publisher.publish(topic, messages, timeoutMs);
        },
      },
    };
    const first = deliver(harness, manifest, 'm', slow);
    await held.promise;
    await expect(deliver(harness, manifest, 'other')).rejects.toMatchObject({ code: 'BATCH_BUSY' });
    expect(await deliver(harness, manifest, 'm')).toMatchObject({ outcome: 'PUBLISHED' });
    hanging.resolve();
    await expect(first).rejects.toMatchObject({ code: 'BATCH_BUSY' });
    expect(await batchOf(harness)).toMatchObject({ state: 'RUNNING', published: 1200 });
  });

  it('is rejected if its run was created from another manifest, and the batch does not change', async () => {
    const harness = createHarness();
    await deliver(harness, smallManifest(2));
    const before = await batchOf(harness);
    expect(await deliver(harness, smallManifest(3), 'second')).toMatchObject({ reason: 'CONFLICT' });
    expect(await batchOf(harness)).toEqual(before);
    expect(jobMessages(harness)).toHaveLength(2);
    expect(await rejectionOf(harness, 'second')).toMatchObject({
      reason: 'CONFLICT',
      source: 'expandBatch',
      issues: [{ path: 'run' }],
    });
  });

  it('that is invalid is recorded as one rejected message, and nothing is published', async () => {
    const harness = createHarness();
    const manifest = smallManifest(4, { job: smallJob({ jobKey: 'k-${n}', attempt: '${n}' }) });
    expect(await deliver(harness, manifest, 'wrong')).toMatchObject({ reason: 'INVALID_MANIFEST' });
    expect(await deliver(harness, manifest, 'wrong')).toMatchObject({ reason: 'INVALID_MANIFEST' });
    expect(jobMessages(harness)).toHaveLength(0);
    expect(await harness.store.batches.get('small@2026-11-23')).toBeUndefined();
    const rejection = await rejectionOf(harness, 'wrong');
    expect(rejection?.issues).toEqual([
      { path: 'job.attempt', message: expect.stringMatching(/found 0.*in combination 0: n 0/) as string },
    ]);
    const originals = harness.publisher.published.filter(
      ({ topic }) => topic === harness.config.topics.deadLetters,
    );
    expect(originals.map(({ message }) => message.attributes['rejectedMessageId'])).toEqual(['wrong']);
    expect(await deliver(harness, 'not json {', 'text')).toMatchObject({ reason: 'INVALID_DATA' });
  });
});

describe('a manifest that takes too long to check', () => {
  it('is rejected rather than redelivered again and again', async () => {
    const harness = createHarness();
    const slow: Services = {
      ...harness.services,
      clock: {
        ...harness.clock,
        now: () => {
          harness.clock.advance(5000);
          return harness.clock.now();
        },
      },
    };
    expect(await deliver(harness, smallManifest(200), 'slow', slow)).toMatchObject({
      reason: 'INVALID_MANIFEST',
      issues: [{ path: 'job', message: expect.stringContaining('of 200 jobs could be checked') as string }],
    });
    expect(jobMessages(harness)).toHaveLength(0);
  });
});

describe('a batch finishes', () => {
  it('only when every job that was published has ended or was rejected', async () => {
    const harness = createHarness();
    const deliverJobs = createJobDelivery(harness);
    // A job with other content has one of the keys.
    await harness.submit({ data: smallJob({ jobKey: 'small/2026-11-23/2' }, { description: 'other' }) });
    await deliver(harness, smallManifest(4));
    const messages = jobMessages(harness);
    expect(messages).toHaveLength(4);
    for (const { data } of messages.slice(0, 3)) {
      await harness.submit({ data });
    }
    // A job that is published twice is rejected twice, but counted once.
    await harness.submit({ data: messages[2]?.data });
    await harness.untilQuiet();
    await finish(harness);
    expect(await batchOf(harness)).toMatchObject({ state: 'RUNNING' });

    await deliverJobs();
    await harness.untilQuiet();
    await finish(harness);
    expect(await batchOf(harness)).toMatchObject({
      state: 'FINISHED',
      counts: { SUCCEEDED: 3 },
      rejectedMessages: 1,
    });
  });

  it('with the jobs that already had a record with the same content and were not published', async () => {
    const harness = createHarness();
    const deliverJobs = createJobDelivery(harness);
    await deliver(harness, smallManifest(3, { run: 'a', job: smallJob({ jobKey: 'k-${n}' }) }), 'a');
    await deliverJobs();
    await deliver(harness, smallManifest(5, { run: 'b', job: smallJob({ jobKey: 'k-${n}' }) }), 'b');
    expect(jobMessages(harness)).toHaveLength(5);
    await deliverJobs();
    await harness.untilQuiet();
    await finish(harness);
    expect(await batchOf(harness, 'small@a')).toMatchObject({ state: 'FINISHED', counts: { SUCCEEDED: 3 } });
    expect(await batchOf(harness, 'small@b')).toMatchObject({
      state: 'FINISHED',
      existing: 0,
      counts: { SUCCEEDED: 5 },
    });
  });

  it('with a pending event while the topic does not answer', async () => {
    const harness = createHarness();
    const deliverJobs = createJobDelivery(harness);
    await deliver(harness, smallManifest(1));
    await deliverJobs();
    harness.publisher.failing = true;
    await harness.untilQuiet();
    await finish(harness);
    expect(await batchOf(harness)).toMatchObject({ state: 'FINISHED', owesEvent: true });
    harness.publisher.failing = false;
    await finish(harness);
    expect(await batchOf(harness)).not.toHaveProperty('owesEvent');
    expect(batchEvents(harness).length).toBe(1);
  });
});
