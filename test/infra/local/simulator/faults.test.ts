import { beforeEach, describe, expect, it } from 'vitest';

import { createRig, type Rig } from './rig.ts';
import { exportRequest } from './requests.ts';

let rig: Rig;
beforeEach(() => {
  rig = createRig();
});

describe('a fault', () => {
  it.each([
    [{ kind: 'status', status: 500 }, 0],
    [{ kind: 'html' }, 0],
    [{ kind: 'reset' }, 0],
    [{ kind: 'unreachable' }, 0],
    [{ kind: 'silence' }, 0],
    [{ kind: 'silence', worked: true }, 1],
    [{ kind: 'lost' }, 1],
    [{ kind: 'garbled', body: '{' }, 1],
    [{ kind: 'slow', ms: 5 }, 1],
  ] as const)('%j leaves %i operations', async (fault, made) => {
    rig.simulator.failNext('export', fault);
    await rig.send('POST', '/v1/projects/p/video:export', exportRequest({ requestId: 'a' }));
    expect(rig.simulator.operations()).toHaveLength(made);
    expect(rig.simulator.exportCalls).toMatchObject([
      { requestId: 'a', outcome: made === 1 ? 'STARTED' : 'FAULT' },
    ]);
    expect(rig.simulator.counters().faults).toBe(1);
  });

  it('occurs at its rate, and at the same calls with the same seed', async () => {
    const run = async () => {
      rig = createRig({
        faultRates: { tooManyRequests: 0.1, html: 0.1, lost: 0.05 },
        faultyCalls: ['get'],
      });
      const answers: string[] = [];
      for (let n = 0; n < 2000; n++) {
        const answer = await rig.send('GET', '/v1/projects/p/operations/NONE');
        answers.push(typeof answer === 'string' ? answer : `${answer.status}`);
      }
      await rig.start({ requestId: 'a' });
      return answers;
    };
    const answers = await run();
    const share = (wanted: string) => answers.filter((answer) => answer === wanted).length / answers.length;
    expect(share('429')).toBeCloseTo(0.1, 1);
    expect(share('502')).toBeCloseTo(0.1, 1);
    expect(share('RESET')).toBeGreaterThan(0.02);
    expect(share('404')).toBeCloseTo(0.75, 1);
    expect(await run()).toEqual(answers);
  });

  it('can be chosen by a hook, and affects other calls too', async () => {
    rig = createRig(
      {},
      {
        onRequest: (request, call) =>
          call === 'list' && request.path.includes('bad')
            ? { kind: 'status', status: 503, message: 'x' }
            : undefined,
      },
    );
    expect(await rig.ask('GET', '/v1/projects/bad/operations')).toMatchObject({ status: 503 });
    expect(await rig.ask('GET', '/v1/projects/good/operations')).toMatchObject({ status: 200 });
  });

  it("of a project is a 403 with Earth Engine's text", async () => {
    rig = createRig({ denied: { p: 'NOT_REGISTERED', q: 'NO_PERMISSION', r: 'NO_SERVICE_USAGE' } });
    expect((await rig.start({}, 'p')).json.error?.message).toMatch(
      /^Project p is not registered to use Earth Engine\./,
    );
    expect((await rig.start({}, 'q')).json.error?.message).toMatch(
      /^Permission 'earthengine\.exports\.create' denied/,
    );
    expect(await rig.start({}, 'r')).toMatchObject({
      status: 403,
      json: { error: { status: 'PERMISSION_DENIED' } },
    });
    expect(await rig.start({}, 's')).toMatchObject({ status: 200 });
    expect(rig.outcomes()).toEqual(['DENIED', 'DENIED', 'DENIED', 'STARTED']);
  });
});

describe('a delayed request', () => {
  it('arrives when it is released, after a later request', async () => {
    const held = rig.simulator.holdNext();
    const answer = rig.send('POST', '/v1/projects/p/video:export', exportRequest({ requestId: 'a' }));
    await held.caught;
    expect(await answer).toBe('RESET');
    await rig.start({ requestId: 'a', priority: 7 });
    expect(await held.release()).toMatchObject({ status: 400 });
    expect(rig.outcomes()).toEqual(['HELD', 'STARTED', 'DIFFERENT']);
    await expect(held.release()).rejects.toThrow('already been released');
  });

  it('creates the operation if no other request has', async () => {
    const held = rig.simulator.holdNext('SILENCE');
    expect(await rig.send('POST', '/v1/projects/p/video:export', exportRequest({ requestId: 'a' }))).toBe(
      'SILENCE',
    );
    expect(rig.simulator.operations()).toHaveLength(0);
    await held.release();
    expect(rig.simulator.operations()).toHaveLength(1);
  });
});
