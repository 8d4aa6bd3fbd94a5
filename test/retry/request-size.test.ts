import { describe, expect, it } from 'vitest';

import { REQUEST_BYTES } from '../../shared/message/job-message.ts';
import { retryJobs } from '../../shared/retry/retry.ts';
import { createHarness, smallJob } from '../harness.ts';
import { recordId, sample } from '../record/samples.ts';

describe('retrying a job whose request is almost too large', () => {
  it.each([
    ['leaves room for a longer id', 4, { started: 1, skipped: {} }],
    ['has no room for a longer id', 3, { started: 0, skipped: { NO_ROOM: 1 } }],
  ])('that %s: %i bytes below the limit', async (_which, below, result) => {
    const harness = createHarness();
    const { request } = smallJob() as { request: object };
    // The id is there twice, and `-2` is added to each.
    const expression = { padding: 'x' };
    const base = JSON.stringify({ ...request, requestId: recordId, description: recordId, expression });
    const padded = base.replace('"x"', `"${'x'.repeat(REQUEST_BYTES - base.length + 1 - below)}"`);
    expect(padded).toHaveLength(REQUEST_BYTES - below);
    await harness.store.records.create(recordId, sample('CANCELLED'), Buffer.from(padded));
    expect(await retryJobs(harness.services, { recordIds: [recordId] })).toMatchObject(result);
  });
});
