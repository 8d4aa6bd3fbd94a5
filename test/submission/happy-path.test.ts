import { describe, expect, it } from 'vitest';

import { createHarness, smallJob } from '../harness.ts';

describe('a job, from message to end,', () => {
  it('becomes one operation and is followed to SUCCEEDED', async () => {
    const harness = createHarness();
    const submitted = await harness.submit({ data: smallJob() });
    expect(submitted).toMatchObject({ outcome: 'SENT', state: 'PENDING' });
    await harness.untilQuiet({ stepMs: 2000 });
    const [stored] = await harness.records();
    expect(stored?.value).toMatchObject({
      state: 'SUCCEEDED',
      submissions: 1,
      attempt: 1,
      project: 'demo-test',
    });
    expect(harness.simulator.operations()).toHaveLength(1);
    expect(stored?.value.history.map((entry) => entry.state)).toEqual([
      'SUBMITTING',
      'PENDING',
      'RUNNING',
      'SUCCEEDED',
    ]);
  });

  it('is one record and one operation if it is delivered three times at once', async () => {
    const harness = createHarness();
    const outcomes = await Promise.all([
      harness.submit({ data: smallJob() }),
      harness.submit({ data: smallJob() }),
      harness.instance().submit({ data: smallJob() }),
    ]);
    expect(outcomes.map((each) => each.outcome).sort()).toEqual(['DUPLICATE', 'DUPLICATE', 'SENT']);
    expect(harness.simulator.exportCalls.map((call) => call.outcome)).toEqual(['STARTED']);
  });

  it('is adopted if the answer is lost and Earth Engine refuses the replay', async () => {
    const harness = createHarness();
    harness.simulator.failNext('export', { kind: 'lost' }, 3);
    await harness.submit({ data: smallJob() });
    await harness.untilQuiet();
    const [stored] = await harness.records();
    expect(stored?.value.state).toBe('SUCCEEDED');
    expect(harness.simulator.operations()).toHaveLength(1);
  });

  it('continues as the next generation if the full queue used up its id', async () => {
    const harness = createHarness({
      simulator: { settings: { queueLimit: 1, useUpIdWhenFull: true, concurrency: 1 } },
    });
    await harness.submit({ data: smallJob({ jobKey: 'a' }) });
    expect(await harness.submit({ data: smallJob({ jobKey: 'b' }) })).toMatchObject({
      sendOutcome: 'QUEUE_FULL',
    });
    await harness.untilQuiet();
    const ended = (await harness.records()).map((stored) => stored.value);
    expect(ended.map((record) => record.state)).toEqual(['SUCCEEDED', 'SUCCEEDED']);
    expect(ended.find((record) => record.jobKey === 'b')?.requestId).toMatch(/-g2$/);
    expect(harness.simulator.operations()).toHaveLength(2);
  });
});
