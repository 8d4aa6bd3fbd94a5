import type { Batch } from '../../shared/model/batch.ts';
import { expandBatch } from '../../shared/batch/expand-batch.ts';
import type { Services } from '../../shared/services.ts';
import { isReadable } from '../../shared/store/store.ts';
import { createHarness, envelopeOf, type Harness } from '../harness.ts';
import { landsatManifest, regions } from './manifests.ts';

/** Runs a batch from its manifest to its end, in one process. */

/** A manifest of a number of jobs: years for two regions, each with a different graph. */
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

/** @param failing part of the description of the jobs that fail at Earth Engine */
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
  // Messages are delivered when they are published, so that they do not pile up here.
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
    throw new Error(`The manifest ended as ${outcome}`);
  }
  for (let polls = 1; polls <= 50; polls += 1) {
    harness.clock.advance(60_000);
    await harness.poll();
    const found = await harness.store.batches.get('weekly-timelapse@2026-11-23');
    if (found && isReadable(found) && found.value.state === 'FINISHED') {
      return { harness, batch: found.value, published, polls };
    }
  }
  throw new Error('The batch does not finish');
}
