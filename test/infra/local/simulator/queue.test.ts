import { beforeEach, describe, expect, it } from 'vitest';

import { createRig, type Rig } from './rig.ts';

let rig: Rig;
beforeEach(() => {
  rig = createRig();
});

describe('the queue', () => {
  const full = 'Too many tasks already in the queue (3). Please wait for some of them to complete.';

  it('refuses operations beyond its limit, and accepts more when some have started', async () => {
    rig = createRig({ queueLimit: 3, concurrency: 1 });
    rig.simulator.set({ startsPerSecond: 0.001 });
    for (const requestId of ['a', 'b', 'c']) {
      await rig.start({ requestId });
    }
    // The first started at once, so there was capacity for one more.
    expect(await rig.start({ requestId: 'd' })).toMatchObject({ status: 200 });
    expect(await rig.start({ requestId: 'e' })).toMatchObject({
      status: 400,
      json: { error: { message: full } },
    });
    expect(await rig.start({ requestId: 'b' })).toMatchObject({ status: 200 });
    rig.pass(1_000_000);
    expect(await rig.start({ requestId: 'e' })).toMatchObject({ status: 200 });
    expect(rig.simulator.counters().projects['p']).toEqual({ pending: 3, active: 4, peakActive: 4 });
  });

  it('counts tasks of other users, and returns 429 if the settings require it', async () => {
    rig = createRig({ queueLimit: 3, queueFullStatus: 429 });
    rig.simulator.setOthers('p', { pending: 3 });
    expect(await rig.start({ requestId: 'a' })).toMatchObject({
      status: 429,
      json: { error: { message: full, status: 'RESOURCE_EXHAUSTED' } },
    });
    expect(await rig.start({ requestId: 'a' }, 'q')).toMatchObject({ status: 200 });
  });

  it.each([
    [true, ['QUEUE_FULL', 'DIFFERENT']],
    [false, ['QUEUE_FULL', 'STARTED']],
  ])('uses up the ids that it refuses: %s', async (useUpIdWhenFull, expected) => {
    rig = createRig({ queueLimit: 0, useUpIdWhenFull });
    await rig.start({ requestId: 'a' });
    rig.simulator.set({ queueLimit: 10 });
    await rig.start({ requestId: 'a' });
    expect(rig.outcomes()).toEqual(expected);
  });

  it('starts by priority, then by age, one per free slot', async () => {
    rig = createRig({ concurrency: 1, pendingMs: 500 });
    for (const [requestId, priority] of [
      ['low', 1],
      ['old', 100],
      ['young', 100],
      ['high', 900],
    ] as const) {
      await rig.start({ requestId, priority });
    }
    rig.pass(60_000);
    const byStart = [...rig.simulator.operations()].sort((a, b) =>
      (a.startTime ?? '').localeCompare(b.startTime ?? ''),
    );
    expect(byStart.map(({ requestId, startTime }) => [requestId, startTime?.slice(17)])).toEqual([
      ['high', '00.500Z'],
      ['old', '01.500Z'],
      ['young', '02.500Z'],
      ['low', '03.500Z'],
    ]);
  });

  it('starts as many per second as the settings allow', async () => {
    rig = createRig({ concurrency: 100, startsPerSecond: 2 });
    for (let n = 0; n < 10; n++) {
      await rig.start({ requestId: `r${n}` });
    }
    rig.pass(1100);
    expect(rig.simulator.operations().filter(({ startTime }) => startTime !== undefined)).toHaveLength(3);
  });

  it('has the same history whether it is read often or once', async () => {
    const run = async (lookEveryMs: number) => {
      rig = createRig({ runMs: [500, 3000], concurrency: 3, startsPerSecond: 5 });
      for (let n = 0; n < 50; n++) {
        await rig.start({ requestId: `r${n}`, priority: n % 3 });
      }
      for (let passed = 0; passed < 60_000; passed += lookEveryMs) {
        rig.pass(lookEveryMs);
        rig.simulator.counters();
      }
      return rig.simulator
        .operations()
        .map(({ requestId, startTime, endTime }) => [requestId, startTime, endTime]);
    };
    expect(await run(50)).toEqual(await run(60_000));
  });

  it('runs the 10,000 operations of a day that passes in seconds', async () => {
    rig = createRig({ queueLimit: 20_000, startsPerSecond: 1, concurrency: 8 });
    for (let n = 0; n < 10_000; n++) {
      await rig.start({ requestId: `r${n}` });
    }
    rig.pass(9_999_000);
    expect(rig.simulator.counters().projects['p']).toEqual({ pending: 0, active: 1, peakActive: 10_000 });
    rig.pass(1000);
    expect(new Set(rig.simulator.operations().map(({ state }) => state))).toEqual(new Set(['SUCCEEDED']));
  });
});

describe('an operation', () => {
  it('fails, stalls, or ignores cancellation if its name matches a pattern', async () => {
    rig = createRig({
      concurrency: 10,
      failing: [{ pattern: 'demo_bad', code: 3, message: 'User memory limit exceeded.' }],
      stalling: ['demo_stuck'],
      uncancellable: ['demo_firm'],
    });
    const named = async (requestId: string) => (await rig.start({ requestId })).json.name;
    const [bad, stuck, firm, good] = [
      await named('bad'),
      await named('stuck'),
      await named('firm'),
      await named('good'),
    ];
    for (const name of [firm, good]) {
      await rig.ask('POST', `/v1/${name}:cancel`);
    }
    rig.pass(3_600_000);
    expect((await rig.get(bad)).json).toMatchObject({
      done: true,
      error: { code: 3, message: 'User memory limit exceeded.' },
      metadata: { state: 'FAILED' },
    });
    const { progress, stages } = (await rig.get(stuck)).json.metadata;
    rig.pass(3_600_000);
    expect((await rig.get(stuck)).json.metadata).toMatchObject({ state: 'RUNNING', progress, stages });
    expect((await rig.get(firm)).json).toMatchObject({
      done: true,
      response: {},
      metadata: { state: 'SUCCEEDED' },
    });
    expect((await rig.get(good)).json).toMatchObject({
      error: { code: 1 },
      metadata: { state: 'CANCELLED' },
    });
  });

  it('can be ended or forgotten by a test', async () => {
    const { name } = (await rig.start({ requestId: 'a' })).json;
    rig.simulator.endOperation(name, { state: 'FAILED', error: { code: 3, message: 'Internal error.' } });
    expect(rig.simulator.operations().map(({ state }) => state)).toEqual(['FAILED']);
    rig.simulator.forgetOperation(name);
    expect(await rig.get(name)).toMatchObject({ status: 404, json: { error: { status: 'NOT_FOUND' } } });
    expect((await rig.ask('GET', '/v1/projects/p/operations')).json.operations).toBeUndefined();
    expect(() => rig.simulator.forgetOperation('projects/p/operations/NONE')).toThrow('no operation');
  });

  it('never runs if it is canceled before it starts', async () => {
    rig = createRig({ concurrency: 0 });
    const { name } = (await rig.start({ requestId: 'a' })).json;
    await rig.ask('POST', `/v1/${name}:cancel`);
    expect((await rig.get(name)).json.metadata.state).toBe('CANCELLING');
    rig.simulator.set({ concurrency: 5 });
    rig.pass(60_000);
    expect(rig.simulator.operations()).toMatchObject([
      { state: 'CANCELLED', startTime: undefined, cancelRequested: true },
    ]);
    expect(rig.simulator.counters().projects['p']).toMatchObject({ pending: 0, active: 0 });
  });

  it('has the oddities of the settings', async () => {
    rig = createRig({
      quirkRates: { missingFields: 1, doneWithNeither: 1, unknownState: 1, epochStart: 1 },
      concurrency: 1,
      pendingMs: 100,
    });
    const first = (await rig.start({ requestId: 'a' })).json;
    expect(first.metadata).not.toHaveProperty('state');
    expect((await rig.get(first.name)).json.metadata).toMatchObject({
      startTime: '1970-01-01T00:00:00.000Z',
    });
    rig.pass(500);
    expect((await rig.get(first.name)).json.metadata.state).toBe('PAUSED_BY_SCHEDULER');
    rig.pass(5000);
    const { json } = await rig.get(first.name);
    expect(json).toMatchObject({ done: true });
    expect(json).not.toHaveProperty('response');
    rig.simulator.set({ omitDescription: true });
    expect((await rig.get(first.name)).json.metadata).not.toHaveProperty('description');
  });
});
