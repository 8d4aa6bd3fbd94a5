import { describe, expect, it } from 'vitest';

import { changeBatch, releaseBatch } from '../../shared/batch/change-batch.ts';
import { eachBatch } from '../../shared/batch/each-batch.ts';
import { expandBatch } from '../../shared/batch/expand-batch.ts';
import { later, MINUTE_MS } from '../../shared/clock.ts';
import { createMemoryStore } from '../../infra/local/memory/store.ts';
import { createHarness, envelopeOf } from '../harness.ts';
import { batchOf } from './batches.ts';
import { smallManifest } from './manifests.ts';

const id = 'small@2026-11-23';

async function withBatch() {
  const memory = createMemoryStore();
  const harness = createHarness({ store: memory });
  await expandBatch(harness.services, envelopeOf({ data: smallManifest(1), messageId: 'manifest' }));
  return { ...harness, memory, soon: later(harness.clock.now(), MINUTE_MS) };
}

describe('a change of a batch', () => {
  it('is decided again if another process wrote the batch meanwhile', async () => {
    const { services, ...harness } = await withBatch();
    const seen: number[] = [];
    await changeBatch(services, id, (batch) => {
      seen.push(batch?.revision ?? 0);
      if (batch && seen.length === 1) {
        const changed = { ...harness.memory.peek(`videoExportBatches/${id}`), revision: batch.revision + 1 };
        harness.memory.put(`videoExportBatches/${id}`, changed);
      }
      return batch;
    });
    expect(seen).toEqual([seen[0], (seen[0] ?? 0) + 1]);
    expect((await batchOf({ ...harness, services }, id)).revision).toBe((seen[1] ?? 0) + 1);
  });

  it('does not end the claim of another process', async () => {
    const { services, soon, ...harness } = await withBatch();
    const claim = { token: 'theirs', leaseUntil: soon };
    await changeBatch(services, id, (batch) => batch && { ...batch, claim });
    await releaseBatch(services, id, 'ours');
    expect(await batchOf({ ...harness, services }, id)).toMatchObject({ claim });
    await releaseBatch(services, id, 'theirs');
    expect(await batchOf({ ...harness, services }, id)).not.toHaveProperty('claim');
  });
});

describe('work on every batch', () => {
  it('goes on after one that cannot be read, and one that fails', async () => {
    const { services, memory, logged, soon } = await withBatch();
    const batch = memory.peek(`videoExportBatches/${id}`);
    memory.put('videoExportBatches/a', { ...batch, jobs: 'many' });
    memory.put('videoExportBatches/b', { ...batch });
    const worked: string[] = [];
    await eachBatch(services, { where: [], orderBy: [] }, soon, async (stored) => {
      worked.push(stored.id);
      if (stored.id === 'b') {
        throw new Error('this one');
      }
    });
    expect(worked).toEqual(['b', id]);
    const failed = logged.filter(({ event }) => event === 'batch.failed').map(({ batchId }) => batchId);
    expect(failed).toEqual(['a', 'b']);
  });
});
