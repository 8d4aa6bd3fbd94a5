import { describe, expect, it } from 'vitest';

import { MINUTE_MS } from '../../shared/clock.ts';
import { smallJob } from '../harness.ts';
import { theRecord, world } from './rules-world.ts';

/** `submittedAt` says when Earth Engine accepted the export: until then, a job waits, however often it was sent. */

describe('the time at which Earth Engine accepted an export', () => {
  it('is unknown while it refuses the job, and later is that of the response that accepted it', async () => {
    const harness = world();
    harness.simulator.failNext('export', { kind: 'status', status: 403, message: 'No permission.' });
    await harness.submit({ data: smallJob() });
    const waiting = await theRecord(harness);
    expect(waiting).toMatchObject({ state: 'WAITING', submissions: 1 });
    expect(waiting.submittedAt).toBeUndefined();
    harness.clock.advance(90 * MINUTE_MS);
    await harness.poll();
    const accepted = await theRecord(harness);
    expect(accepted).toMatchObject({ state: 'PENDING', submissions: 2 });
    expect(accepted.submittedAt).toEqual(accepted.history.at(-1)?.at);
  });

  it('is that of the operation if the response was lost', async () => {
    const harness = world();
    harness.simulator.failNext('export', { kind: 'lost' }, 3);
    const sentFrom = harness.clock.now().getTime();
    await harness.submit({ data: smallJob() });
    const sentUntil = harness.clock.now().getTime();
    harness.clock.advance(30 * MINUTE_MS);
    await harness.poll();
    const { submittedAt } = await theRecord(harness);
    expect(submittedAt?.getTime()).toBeGreaterThanOrEqual(sentFrom);
    expect(submittedAt?.getTime()).toBeLessThanOrEqual(sentUntil);
  });
});
