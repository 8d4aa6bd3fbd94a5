import type { Batch } from '../../shared/model/batch.ts';
import { expandBatch } from '../../shared/batch/expand-batch.ts';
import type { Services } from '../../shared/services.ts';
import { isReadable } from '../../shared/store/store.ts';
import { createHarness, envelopeOf, type Harness } from '../harness.ts';
import { landsatManifest, regions } from './manifests.ts';

/** A batch from its manifest to its end, in one process. */

/** Years for two regions: `jobs` of them, each a graph of its own. */
export const manifestOf = (jobs: number): Record<string, unknown> =>
  landsatManifest({
    run: '2026-11-23',
    matrix: { region: regions, year: Array.from({ length: jobs / 2 }, (_, year) => year) },
  });

export interface WholeBatch {
  readonly harness: Harness;
  readonly batch: Batch;
  readonly published: number;
  readonly polls: number;
}

/** @param failing a part of the description of those that EE fails */
export async function runWholeBatch(jobs: number, failing?: string): Promise<WholeBatch> {
  const harness = createHarness({
    environment: { MAX_ACTIVE_OPERATIONS: '100000' },
    simulator: {
      settings: {
        queueLimit: 100_000,
        startsPerSecond: 10_000,
        concurrency: 100_000,
        failing: failing === undefined ? [] : [{ pattern: failing, code: 13, message: 'Internal error.' }],
      },
    },
  });
  const manifest = envelopeOf({ data: manifestOf(jobs), messageId: 'manifest' });
  let published = 0;
  // Delivered as it is published, so that the messages do not pile up here.
  const services: Services = {
    ...harness.services,
    publisher: {
      ...harness.publisher,
      publish: async (_topic, messages) => {
        published += messages.length;
        for (const { data } of messages) {
          await harness.submit({ data });
        }
        return messages.map((_, n) => ({ messageId: String(n) }));
      },
    },
  };
  const { outcome } = await expandBatch(services, manifest);
  if (outcome !== 'PUBLISHED') {
    throw new Error(`the manifest ended as ${outcome}`);
  }
  for (let polls = 1; polls <= 50; polls += 1) {
    harness.clock.advance(60_000);
    await harness.poll();
    const found = await harness.store.batches.get('weekly-timelapse@2026-11-23');
    if (found && isReadable(found) && found.value.state === 'FINISHED') {
      return { harness, batch: found.value, published, polls };
    }
  }
  throw new Error('the batch does not finish');
}
