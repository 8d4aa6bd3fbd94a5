import { describe, expect, it } from 'vitest';

import { expandBatch } from '../../shared/batch/expand-batch.ts';
import { MINUTE_MS } from '../../shared/clock.ts';
import type { Publisher } from '../../shared/publisher.ts';
import { createHarness, envelopeOf, smallJob } from '../harness.ts';
import { batchOf } from './batches.ts';
import { smallManifest } from './manifests.ts';

describe('a manifest', () => {
  it('of large jobs is published in chunks of a few megabytes', async () => {
    const harness = createHarness();
    const sizes: number[] = [];
    const publisher: Publisher = {
      ...harness.publisher,
      publish: (topic, messages, timeoutMs) => {
        if (topic === harness.config.topics.jobs) {
          sizes.push(messages.reduce((sum, { data }) => sum + data.length, 0));
        }
        return harness.publisher.publish(topic, messages, timeoutMs);
      },
    };
    const large = { functionName: 'f', arguments: { text: { constantValue: 'x'.repeat(3_000_000) } } };
    const expression = { result: '0', values: { '0': { functionInvocationValue: large } } };
    const job = smallJob({ jobKey: '${batchId}/${run}/${n}' }, { expression });
    const data = smallManifest(5, { job });
    const expanded = await expandBatch({ ...harness.services, publisher }, envelopeOf({ data }));
    expect(expanded).toMatchObject({ outcome: 'PUBLISHED', jobs: 5 });
    expect(sizes).toHaveLength(3);
    expect(Math.max(...sizes)).toBeLessThan(8_000_000);
  });

  it('whose delivery died is continued by another message after the lease', async () => {
    const harness = createHarness();
    const publisher: Publisher = {
      ...harness.publisher,
      publish: () => new Promise<never>(() => {}),
    };
    const manifest = smallManifest(3);
    void expandBatch({ ...harness.services, publisher }, envelopeOf({ data: manifest, messageId: 'dead' }));
    await expect.poll(() => batchOf(harness).catch(() => undefined)).toMatchObject({ state: 'EXPANDING' });
    const again = () => expandBatch(harness.services, envelopeOf({ data: manifest, messageId: 'other' }));
    await expect(again()).rejects.toMatchObject({ code: 'BATCH_BUSY' });
    harness.clock.advance(2 * MINUTE_MS);
    expect(await again()).toMatchObject({ outcome: 'PUBLISHED', jobs: 3 });
  });
});
