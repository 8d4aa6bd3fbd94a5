import { beforeEach, describe, expect, it } from 'vitest';

import { createRig, different, type Rig } from './rig.ts';

let rig: Rig;
beforeEach(() => {
  rig = createRig();
});

describe('requestId', () => {
  it('returns the same operation, in its current state, for a byte-identical replay', async () => {
    const first = await rig.start({ requestId: 'a' });
    rig.pass(5000);
    const second = await rig.start({ requestId: 'a' });
    expect(second.json.name).toBe(first.json.name);
    expect(second.json.metadata.state).toBe('SUCCEEDED');
    expect(rig.outcomes()).toEqual(['STARTED', 'REPLAYED']);
  });

  it('is refused for different bytes, also in another project', async () => {
    await rig.start({ requestId: 'a' });
    const other = await rig.start({ requestId: 'a', priority: 7 });
    expect(other).toMatchObject({ status: 400, json: { error: { message: different } } });
    rig = createRig({ differentOperationStatus: 409 });
    await rig.start({ requestId: 'a' });
    expect(await rig.start({ requestId: 'a', priority: 7 }, 'q')).toMatchObject({
      status: 409,
      json: { error: { status: 'ALREADY_EXISTS' } },
    });
    expect(rig.simulator.operations()).toHaveLength(1);
  });

  it('is separate for each caller', async () => {
    rig = createRig({ tokens: { t1: 'a@x', t2: 'b@x' } });
    await rig.start({ requestId: 'a' }, 'p', 't1');
    await rig.start({ requestId: 'a', priority: 7 }, 'p', 't2');
    expect(rig.simulator.operations().map(({ identity }) => identity)).toEqual(['a@x', 'b@x']);
    expect(await rig.start({ requestId: 'a' }, 'p', 'old')).toMatchObject({
      status: 401,
      json: { error: { status: 'UNAUTHENTICATED' } },
    });
  });

  it('is optional: without it, every request creates an operation', async () => {
    await rig.start({});
    await rig.start({});
    expect(rig.simulator.operations()).toHaveLength(2);
  });

  it('is forgotten after a while, if the settings require it', async () => {
    rig = createRig({ forgetIdsAfterMs: 60_000 });
    await rig.start({ requestId: 'a' });
    rig.pass(59_999);
    await rig.start({ requestId: 'a' });
    rig.pass(1);
    await rig.start({ requestId: 'a' });
    expect(rig.outcomes()).toEqual(['STARTED', 'REPLAYED', 'STARTED']);
  });

  it('is refused while the first request is being processed, if the settings require it', async () => {
    const working = Promise.withResolvers<void>();
    rig = createRig({ refuseWhileWorking: true }, { sleep: () => working.promise });
    rig.simulator.failNext('export', { kind: 'slow', ms: 60_000 });
    const slow = rig.start({ requestId: 'a' });
    expect(await rig.start({ requestId: 'a' })).toMatchObject({
      status: 400,
      json: { error: { message: different } },
    });
    working.resolve();
    expect(await slow).toMatchObject({ status: 200 });
    expect(await rig.start({ requestId: 'a' })).toMatchObject({ status: 200 });
    expect(rig.simulator.operations()).toHaveLength(1);
  });

  it('creates one operation for two simultaneous requests', async () => {
    rig.simulator.failNext('export', { kind: 'slow', ms: 1 }, 2);
    const [one, two] = await Promise.all([rig.start({ requestId: 'a' }), rig.start({ requestId: 'a' })]);
    expect(one.json.name).toBe(two.json.name);
    expect(rig.simulator.operations()).toHaveLength(1);
  });
});
