import { describe, expect, it } from 'vitest';

import { cancelExports } from '../../shared/cancellation/cancel-exports.ts';
import { MINUTE_MS } from '../../shared/clock.ts';
import { createHarness, envelopeOf, smallJob } from '../harness.ts';

const batchId = 'small@2026-11-23';

describe('a canceled batch', () => {
  it('cancels a job whose record appears later than one that was created after it', async () => {
    const endless: [number, number] = [1e9, 1e9];
    const harness = createHarness({ simulator: { settings: { runMs: endless } } });
    await harness.submit({ data: smallJob({ jobKey: 'first', batchId }) });
    // It has read that the batch is not canceled. Its commit takes long: the record is older than the cancellation, and
    // appears after it.
    const slow = harness.instance(({ store, ...services }) => ({
      ...services,
      store: {
        ...store,
        records: {
          ...store.records,
          create: async (...commit) => {
            harness.clock.advance(MINUTE_MS);
            await cancelExports(harness.services, envelopeOf({ data: { batchId } }));
            return store.records.create(...commit);
          },
        },
      },
    }));
    expect(await slow.submit({ data: smallJob({ jobKey: 'second', batchId }) })).toMatchObject({
      state: 'PENDING',
    });
    harness.clock.advance(MINUTE_MS);
    await harness.poll();
    const requested = (await harness.records()).map(({ value }) => value.cancelRequestedAt !== undefined);
    expect(requested).toEqual([true, true]);
  });
});

describe('a job key in two projects', () => {
  it('is canceled in the project that is named, and in no other', async () => {
    const harness = createHarness({ environment: { ALLOWED_PROJECTS: 'demo-test,other-project' } });
    await harness.submit({ data: smallJob() });
    await harness.submit({ data: smallJob({ project: 'other-project' }) });
    const data = { jobKey: 'test/1', project: 'other-project' };
    await cancelExports(harness.services, envelopeOf({ data }));
    const canceled = (await harness.records()).filter(({ value }) => value.cancelRequestedAt !== undefined);
    expect(canceled.map(({ value }) => value.project)).toEqual(['other-project']);
  });
});
