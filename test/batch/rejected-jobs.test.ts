import { describe, expect, it } from 'vitest';

import { expandBatch } from '../../shared/batch/expand-batch.ts';
import { isReadable } from '../../shared/store/store.ts';
import { createHarness, envelopeOf } from '../harness.ts';
import { smallManifest } from './manifests.ts';

describe('a job of a batch that is rejected', () => {
  it('twice does not stand for one that has not come', async () => {
    const harness = createHarness();
    await expandBatch(harness.services, envelopeOf({ data: smallManifest(2) }));
    const jobs = harness.publisher.published.filter(({ topic }) => topic === harness.config.topics.jobs);
    const [first, second] = jobs.map(({ message }) => message);
    const strict = harness.instance((services) => ({
      ...services,
      config: { ...services.config, allowedDestinations: ['gs://other/*'] },
    }));
    const stateAfterPoll = async () => {
      harness.clock.advance(60_000);
      await harness.poll();
      const batch = await harness.store.batches.get('small@2026-11-23');
      return batch && isReadable(batch) ? batch.value.state : undefined;
    };
    await strict.submit({ data: first?.data, messageId: 'copy-1' });
    await strict.submit({ data: first?.data, messageId: 'copy-2' });
    expect(await stateAfterPoll()).toBe('RUNNING');
    await strict.submit({ data: second?.data, messageId: 'other' });
    expect(await stateAfterPoll()).toBe('FINISHED');
  });
});
