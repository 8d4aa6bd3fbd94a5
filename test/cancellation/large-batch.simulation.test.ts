import { describe, expect, it } from 'vitest';

import { expandBatch } from '../../shared/batch/expand-batch.ts';
import { finishBatches } from '../../shared/batch/finish-batches.ts';
import { cancelExports } from '../../shared/cancellation/cancel-exports.ts';
import { later, MINUTE_MS } from '../../shared/clock.ts';
import { batchOf, jobMessages } from '../batch/batches.ts';
import { manifestOfFiles } from '../batch/manifests.ts';
import { createHarness, envelopeOf } from '../harness.ts';

const cancellation = envelopeOf({ data: { batchId: 'small@2026-11-23' } });

/** `BATCH_JOBS=5000 npx vitest run test/cancellation/large-batch.simulation.test.ts` cancels more. Three pages of records are the least. */
const jobs = Number(process.env['BATCH_JOBS'] ?? 1200);

describe('canceling a large batch', () => {
  it('takes one message: nothing is left running, and nothing is sent afterwards', async () => {
    const runMs = [36_000_000, 36_000_000] as const;
    const harness = createHarness({
      simulator: { settings: { pendingMs: 0, startsPerSecond: 100, concurrency: 5, runMs } },
      environment: { MAX_ACTIVE_OPERATIONS: '400' },
    });
    const { services, simulator, clock } = harness;
    await expandBatch(services, envelopeOf({ data: manifestOfFiles(jobs), messageId: 'manifest' }));
    for (const { data } of jobMessages(harness)) {
      await harness.submit({ data });
    }
    const active = simulator.operations().length;
    expect(active).toBeGreaterThan(300);
    const startedAt = clock.now().getTime();
    expect(await cancelExports(services, cancellation)).toEqual({
      outcome: 'CANCELLED',
      records: jobs,
      operations: active,
    });
    // Within the rate limit of ten per second.
    expect(clock.now().getTime() - startedAt).toBeGreaterThanOrEqual((active - 1) * 100);
    expect(await cancelExports(services, cancellation)).toMatchObject({ records: 0, operations: 0 });
    await harness.untilQuiet();
    await finishBatches(services, later(clock.now(), MINUTE_MS));
    expect(await batchOf(harness)).toMatchObject({ state: 'FINISHED', counts: { CANCELLED: jobs } });
    expect(simulator.operations().map(({ state }) => state)).toEqual(Array(active).fill('CANCELLED'));
    expect(simulator.counters().calls.cancel).toBe(active);
  }, 120_000);
});
