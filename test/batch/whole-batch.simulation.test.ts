import { describe, expect, it } from 'vitest';

import { runWholeBatch } from './whole-batch.ts';

describe('a batch of 1,000 jobs', () => {
  it('is published, rendered and finished with the right counts', async () => {
    // `npm run bench -- batch` does this with 20,000 jobs, and reports the peak memory.
    const { harness, batch, published } = await runWholeBatch(1000, 'vegas-7_');
    expect(published).toBe(1000);
    expect(batch).toMatchObject({
      jobs: 1000,
      published: 1000,
      counts: { SUCCEEDED: 999, FAILED: 1 },
      rejectedMessages: 0,
    });
    expect(await harness.records()).toHaveLength(1000);
    expect(harness.simulator.operations()).toHaveLength(1000);
  });
});
