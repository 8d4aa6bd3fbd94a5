import { beforeEach, describe, expect, it } from 'vitest';

import {
  createSimulator,
  serveSimulator,
  type Simulator,
  type SimulatorAnswer,
  type SimulatorSettings,
} from '../../infra/local/simulator/index.ts';
import { exportRequest } from './requests.ts';

const different = 'A different Operation was already started with the given request_id';

interface Answer {
  readonly status: number;
  readonly json: {
    readonly name: string;
    readonly done?: boolean;
    readonly metadata: Readonly<Record<string, unknown>> & { readonly state?: string };
    readonly operations?: readonly { readonly name: string }[];
    readonly nextPageToken?: string;
    readonly error?: { readonly message: string; readonly status: string };
    readonly response?: object;
    readonly registrationState?: string;
  };
}

let timeMs: number;
let simulator: Simulator;

function create(settings: Partial<SimulatorSettings> = {}): void {
  timeMs = Date.UTC(2026, 10, 23, 12);
  simulator = createSimulator({
    now: () => new Date(timeMs),
    sleep: () => Promise.resolve(),
    settings: { pendingMs: 0, runMs: [1000, 1000], concurrency: 2, startsPerSecond: 1e6, ...settings },
  });
}

beforeEach(() => create());

function send(
  method: string,
  path: string,
  body = new Uint8Array(),
  token?: string,
): Promise<SimulatorAnswer> {
  const headers: Record<string, string> = token === undefined ? {} : { authorization: `Bearer ${token}` };
  return simulator.handle({ method, path, headers, body });
}

async function ask(
  method: string,
  path: string,
  body?: Uint8Array<ArrayBuffer>,
  token?: string,
): Promise<Answer> {
  const answer = await send(method, path, body, token);
  if (typeof answer === 'string') throw new Error(`It was answered ${answer}`);
  return { status: answer.status, json: JSON.parse(answer.body) as Answer['json'] };
}

const start = (change: Record<string, unknown>, project = 'p', token?: string) =>
  ask('POST', `/v1/projects/${project}/video:export`, exportRequest(change), token);
const get = (name: string) => ask('GET', `/v1/${name}`);
const states = () => simulator.operations().map(({ state }) => state);
const outcomes = () => simulator.exportCalls.map(({ outcome }) => outcome);

describe('requestId', () => {
  it('makes a byte-identical replay the same operation, as it is by then', async () => {
    const first = await start({ requestId: 'a' });
    timeMs += 5000;
    const second = await start({ requestId: 'a' });
    expect(second.json.name).toBe(first.json.name);
    expect(second.json.metadata.state).toBe('SUCCEEDED');
    expect(outcomes()).toEqual(['STARTED', 'REPLAYED']);
  });

  it('is refused for other bytes, also for another project', async () => {
    await start({ requestId: 'a' });
    const other = await start({ requestId: 'a', priority: 7 });
    expect(other).toMatchObject({ status: 400, json: { error: { message: different } } });
    create({ differentOperationStatus: 409 });
    await start({ requestId: 'a' });
    expect(await start({ requestId: 'a', priority: 7 }, 'q')).toMatchObject({
      status: 409,
      json: { error: { status: 'ALREADY_EXISTS' } },
    });
    expect(simulator.operations()).toHaveLength(1);
  });

  it('is another one for another caller', async () => {
    create({ tokens: { t1: 'a@x', t2: 'b@x' } });
    await start({ requestId: 'a' }, 'p', 't1');
    await start({ requestId: 'a', priority: 7 }, 'p', 't2');
    expect(simulator.operations().map(({ identity }) => identity)).toEqual(['a@x', 'b@x']);
    expect(await start({ requestId: 'a' }, 'p', 'old')).toMatchObject({
      status: 401,
      json: { error: { status: 'UNAUTHENTICATED' } },
    });
  });

  it('without it every request makes an operation', async () => {
    await start({});
    await start({});
    expect(simulator.operations()).toHaveLength(2);
  });

  it('is forgotten after a while, if so set', async () => {
    create({ forgetIdsAfterMs: 60_000 });
    await start({ requestId: 'a' });
    timeMs += 59_999;
    await start({ requestId: 'a' });
    timeMs += 1;
    await start({ requestId: 'a' });
    expect(outcomes()).toEqual(['STARTED', 'REPLAYED', 'STARTED']);
  });

  it('is refused while the first request is worked on, if so set', async () => {
    const working = Promise.withResolvers<void>();
    simulator = createSimulator({ sleep: () => working.promise, settings: { refuseWhileWorking: true } });
    simulator.failNext('export', { kind: 'slow', ms: 60_000 });
    const slow = start({ requestId: 'a' });
    expect(await start({ requestId: 'a' })).toMatchObject({
      status: 400,
      json: { error: { message: different } },
    });
    working.resolve();
    expect(await slow).toMatchObject({ status: 200 });
    expect(await start({ requestId: 'a' })).toMatchObject({ status: 200 });
    expect(simulator.operations()).toHaveLength(1);
  });

  it('makes one operation where both are worked on at once', async () => {
    simulator.failNext('export', { kind: 'slow', ms: 1 }, 2);
    const [one, two] = await Promise.all([start({ requestId: 'a' }), start({ requestId: 'a' })]);
    expect(one.json.name).toBe(two.json.name);
    expect(simulator.operations()).toHaveLength(1);
  });
});

describe('the queue', () => {
  const full = 'Too many tasks already in the queue (3). Please wait for some of them to complete.';

  it('refuses what is over its limit, and takes more when some have started', async () => {
    create({ queueLimit: 3, concurrency: 1 });
    simulator.set({ startsPerSecond: 0.001 });
    for (const requestId of ['a', 'b', 'c']) await start({ requestId });
    // The first started at once, so that there was room for one more.
    expect(await start({ requestId: 'd' })).toMatchObject({ status: 200 });
    expect(await start({ requestId: 'e' })).toMatchObject({
      status: 400,
      json: { error: { message: full } },
    });
    expect(await start({ requestId: 'b' })).toMatchObject({ status: 200 });
    timeMs += 1_000_000;
    expect(await start({ requestId: 'e' })).toMatchObject({ status: 200 });
    expect(simulator.counters().projects['p']).toEqual({ pending: 3, active: 4, peakActive: 4 });
  });

  it('counts other people’s tasks, and answers 429 if so set', async () => {
    create({ queueLimit: 3, queueFullStatus: 429 });
    simulator.setOthers('p', { pending: 3 });
    expect(await start({ requestId: 'a' })).toMatchObject({
      status: 429,
      json: { error: { message: full, status: 'RESOURCE_EXHAUSTED' } },
    });
    expect(await start({ requestId: 'a' }, 'q')).toMatchObject({ status: 200 });
  });

  it.each([
    [true, ['QUEUE_FULL', 'DIFFERENT']],
    [false, ['QUEUE_FULL', 'STARTED']],
  ])('burns the ids that it refuses: %s', async (burnIdsWhenFull, expected) => {
    create({ queueLimit: 0, burnIdsWhenFull });
    await start({ requestId: 'a' });
    simulator.set({ queueLimit: 10 });
    await start({ requestId: 'a' });
    expect(outcomes()).toEqual(expected);
  });

  it('starts by priority, then by age, as many at once as there are slots', async () => {
    create({ concurrency: 1, pendingMs: 500 });
    for (const [requestId, priority] of [
      ['low', 1],
      ['old', 100],
      ['young', 100],
      ['high', 900],
    ] as const) {
      await start({ requestId, priority });
    }
    timeMs += 60_000;
    const byStart = [...simulator.operations()].sort((a, b) =>
      (a.startTime ?? '').localeCompare(b.startTime ?? ''),
    );
    expect(byStart.map(({ requestId, startTime }) => [requestId, startTime?.slice(17)])).toEqual([
      ['high', '00.500Z'],
      ['old', '01.500Z'],
      ['young', '02.500Z'],
      ['low', '03.500Z'],
    ]);
  });

  it('starts so many per second', async () => {
    create({ concurrency: 100, startsPerSecond: 2 });
    for (let n = 0; n < 10; n++) await start({ requestId: `r${n}` });
    timeMs += 1100;
    expect(simulator.operations().filter(({ startTime }) => startTime !== undefined)).toHaveLength(3);
  });

  it('gives the same history whether it is looked at often or once', async () => {
    const run = async (lookEveryMs: number) => {
      create({ runMs: [500, 3000], concurrency: 3, startsPerSecond: 5 });
      for (let n = 0; n < 50; n++) await start({ requestId: `r${n}`, priority: n % 3 });
      for (let passed = 0; passed < 60_000; passed += lookEveryMs) {
        timeMs += lookEveryMs;
        simulator.counters();
      }
      return simulator
        .operations()
        .map(({ requestId, startTime, endTime }) => [requestId, startTime, endTime]);
    };
    expect(await run(50)).toEqual(await run(60_000));
  });

  it('runs 10,000 operations of an accelerated day in a blink', async () => {
    create({ queueLimit: 20_000, startsPerSecond: 1, concurrency: 8 });
    for (let n = 0; n < 10_000; n++) await start({ requestId: `r${n}` });
    const before = performance.now();
    timeMs += 86_400_000;
    expect(new Set(states())).toEqual(new Set(['SUCCEEDED']));
    for (let n = 0; n < 1000; n++) await get('projects/p/operations/NONE');
    expect(performance.now() - before).toBeLessThan(2000);
  });
});

describe('an operation', () => {
  it('fails, stalls or resists cancellation where its name says so', async () => {
    create({
      concurrency: 10,
      failing: [{ pattern: 'demo_bad', code: 3, message: 'User memory limit exceeded.' }],
      stalling: ['demo_stuck'],
      uncancellable: ['demo_firm'],
    });
    const named = async (requestId: string) => (await start({ requestId })).json.name;
    const [bad, stuck, firm, good] = [
      await named('bad'),
      await named('stuck'),
      await named('firm'),
      await named('good'),
    ];
    for (const name of [firm, good]) await ask('POST', `/v1/${name}:cancel`);
    timeMs += 3_600_000;
    expect((await get(bad)).json).toMatchObject({
      done: true,
      error: { code: 3, message: 'User memory limit exceeded.' },
      metadata: { state: 'FAILED' },
    });
    const { progress, stages } = (await get(stuck)).json.metadata;
    timeMs += 3_600_000;
    expect((await get(stuck)).json.metadata).toMatchObject({ state: 'RUNNING', progress, stages });
    expect((await get(firm)).json).toMatchObject({
      done: true,
      response: {},
      metadata: { state: 'SUCCEEDED' },
    });
    expect((await get(good)).json).toMatchObject({ error: { code: 1 }, metadata: { state: 'CANCELLED' } });
  });

  it('can be ended by hand, or forgotten', async () => {
    const { name } = (await start({ requestId: 'a' })).json;
    simulator.endOperation(name, { state: 'FAILED', error: { code: 3, message: 'Internal error.' } });
    expect(states()).toEqual(['FAILED']);
    simulator.forgetOperation(name);
    expect(await get(name)).toMatchObject({ status: 404, json: { error: { status: 'NOT_FOUND' } } });
    expect((await ask('GET', '/v1/projects/p/operations')).json.operations).toBeUndefined();
    expect(() => simulator.forgetOperation('projects/p/operations/NONE')).toThrow('no operation');
  });

  it('cancelled before it starts never runs', async () => {
    create({ concurrency: 0 });
    const { name } = (await start({ requestId: 'a' })).json;
    await ask('POST', `/v1/${name}:cancel`);
    expect((await get(name)).json.metadata.state).toBe('CANCELLING');
    simulator.set({ concurrency: 5 });
    timeMs += 60_000;
    expect(simulator.operations()).toMatchObject([
      { state: 'CANCELLED', startTime: undefined, cancelRequested: true },
    ]);
    expect(simulator.counters().projects['p']).toMatchObject({ pending: 0, active: 0 });
  });

  it('is odd where it is to be', async () => {
    create({
      quirkRates: { missingFields: 1, doneWithNeither: 1, unknownState: 1, epochStart: 1 },
      concurrency: 1,
      pendingMs: 100,
    });
    const first = (await start({ requestId: 'a' })).json;
    expect(first.metadata).not.toHaveProperty('state');
    expect((await get(first.name)).json.metadata).toMatchObject({ startTime: '1970-01-01T00:00:00.000Z' });
    timeMs += 500;
    expect((await get(first.name)).json.metadata.state).toBe('PAUSED_BY_SCHEDULER');
    timeMs += 5000;
    const { json } = await get(first.name);
    expect(json).toMatchObject({ done: true });
    expect(json).not.toHaveProperty('response');
    simulator.set({ omitDescription: true });
    expect((await get(first.name)).json.metadata).not.toHaveProperty('description');
  });
});

describe('the list', () => {
  async function names(pageSize: number): Promise<string[]> {
    const seen: string[] = [];
    let token = '';
    do {
      const { json } = await ask('GET', `/v1/projects/p/operations?pageSize=${pageSize}&pageToken=${token}`);
      seen.push(...(json.operations ?? []).map(({ name }) => name));
      token = json.nextPageToken ?? '';
    } while (token !== '');
    return seen;
  }

  it('comes newest first, oldest first, or shuffled and stable, with other people’s', async () => {
    simulator.setOthers('p', { ended: 1001, running: 1, pending: 1 });
    const ours: string[] = [];
    for (let n = 0; n < 20; n++) ours.push((await start({ requestId: `r${n}` })).json.name);
    const newest = await names(500);
    expect(newest.slice(0, 20)).toEqual([...ours].reverse());
    simulator.set({ listOrder: 'oldest' });
    const oldest = await names(5000);
    expect(oldest).toEqual([...newest].reverse());
    simulator.set({ listOrder: 'random' });
    const random = await names(100);
    expect(random).not.toEqual(newest);
    expect(new Set(random)).toEqual(new Set(newest));
    expect(random).toHaveLength(1023);
    for (const name of [newest[20], newest.at(-1)])
      expect(await get(name ?? '')).toMatchObject({ status: 200 });
  });

  it('shows at most 500 and refuses a token that it did not give', async () => {
    simulator.setOthers('p', { ended: 1001 });
    const page = await ask('GET', '/v1/projects/p/operations?pageSize=5000');
    expect(page.json.operations).toHaveLength(500);
    expect(await ask('GET', '/v1/projects/p/operations?pageToken=nonsense')).toMatchObject({ status: 400 });
  });

  it('shows an operation late, if so set', async () => {
    create({ listLagMs: 5000 });
    const { name } = (await start({ requestId: 'a' })).json;
    timeMs += 4999;
    expect(await names(500)).toEqual([]);
    timeMs += 1;
    expect(await names(500)).toEqual([name]);
  });

  it('costs little where 70,000 old ones are in it', async () => {
    create({ listOrder: 'random' });
    simulator.setOthers('p', { ended: 70_000 });
    const before = performance.now();
    expect(new Set(await names(500)).size).toBe(70_000);
    expect(performance.now() - before).toBeLessThan(3000);
  });
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
    simulator.failNext('export', fault);
    await send('POST', '/v1/projects/p/video:export', exportRequest({ requestId: 'a' }));
    expect(simulator.operations()).toHaveLength(made);
    expect(simulator.exportCalls).toMatchObject([
      { requestId: 'a', outcome: made === 1 ? 'STARTED' : 'FAULT' },
    ]);
    expect(simulator.counters().faults).toBe(1);
  });

  it('comes as often as it is to, and in the same places with the same seed', async () => {
    const run = async () => {
      create({ faultRates: { tooManyRequests: 0.1, html: 0.1, lost: 0.05 }, faultyCalls: ['get'] });
      const answers: string[] = [];
      for (let n = 0; n < 2000; n++) {
        const answer = await send('GET', '/v1/projects/p/operations/NONE');
        answers.push(typeof answer === 'string' ? answer : `${answer.status}`);
      }
      await start({ requestId: 'a' });
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

  it('can be decided by a hook, and hits other calls too', async () => {
    simulator = createSimulator({
      onRequest: (request, call) =>
        call === 'list' && request.path.includes('bad')
          ? { kind: 'status', status: 503, message: 'x' }
          : undefined,
    });
    expect(await ask('GET', '/v1/projects/bad/operations')).toMatchObject({ status: 503 });
    expect(await ask('GET', '/v1/projects/good/operations')).toMatchObject({ status: 200 });
  });

  it('of a project is a 403 in EE’s words', async () => {
    create({ denied: { p: 'NOT_REGISTERED', q: 'NO_PERMISSION', r: 'NO_SERVICE_USAGE' } });
    expect((await start({}, 'p')).json.error?.message).toMatch(
      /^Project p is not registered to use Earth Engine\./,
    );
    expect((await start({}, 'q')).json.error?.message).toMatch(
      /^Permission 'earthengine\.exports\.create' denied/,
    );
    expect(await start({}, 'r')).toMatchObject({
      status: 403,
      json: { error: { status: 'PERMISSION_DENIED' } },
    });
    expect(await start({}, 's')).toMatchObject({ status: 200 });
    expect(outcomes()).toEqual(['DENIED', 'DENIED', 'DENIED', 'STARTED']);
  });
});

describe('a request that is held on its way', () => {
  it('arrives when it is released, after what was sent later', async () => {
    const held = simulator.holdNext();
    const answer = send('POST', '/v1/projects/p/video:export', exportRequest({ requestId: 'a' }));
    await held.caught;
    expect(await answer).toBe('RESET');
    await start({ requestId: 'a', priority: 7 });
    expect(await held.release()).toMatchObject({ status: 400 });
    expect(outcomes()).toEqual(['HELD', 'STARTED', 'DIFFERENT']);
    await expect(held.release()).rejects.toThrow('released before');
  });

  it('makes the operation that nobody else has made', async () => {
    const held = simulator.holdNext('SILENCE');
    expect(await send('POST', '/v1/projects/p/video:export', exportRequest({ requestId: 'a' }))).toBe(
      'SILENCE',
    );
    expect(simulator.operations()).toHaveLength(0);
    await held.release();
    expect(simulator.operations()).toHaveLength(1);
  });
});

it('answers for a project’s configuration and for nothing that EE has not', async () => {
  expect((await ask('GET', '/v1/projects/p/config')).json.registrationState).toBe(
    'REGISTERED_NOT_COMMERCIALLY',
  );
  expect(await ask('DELETE', '/v1/projects/p/operations/x')).toMatchObject({ status: 404 });
  expect(await ask('GET', '/v2/projects/p/config')).toMatchObject({ status: 404 });
});

describe('over HTTP', () => {
  it('is steered and asked from another process', async () => {
    const server = await serveSimulator(simulator);
    try {
      const call = async (method: string, path: string, body?: object) => {
        const init = body === undefined ? { method } : { method, body: JSON.stringify(body) };
        const response = await fetch(`${server.url}/simulator/${path}`, init);
        return { status: response.status, json: (await response.json()) as unknown };
      };
      await call('PATCH', 'settings', { queueLimit: 5, listOrder: 'random' });
      await call('POST', 'faults', { call: 'export', fault: { kind: 'html' }, times: 2 });
      await call('POST', 'others', { project: 'p', ended: 3 });
      const exportUrl = `${server.url}/v1/projects/p/video:export`;
      const statuses: number[] = [];
      for (let n = 0; n < 3; n++) {
        const body = exportRequest({ requestId: 'a' });
        statuses.push((await fetch(exportUrl, { method: 'POST', body })).status);
      }
      expect(statuses).toEqual([502, 502, 200]);
      const [operation] = simulator.operations();
      expect((await call('GET', 'operations')).json).toMatchObject([{ requestId: 'a', state: 'RUNNING' }]);
      await call('POST', 'operations:end', { name: operation?.name, state: 'SUCCEEDED' });
      expect((await call('GET', 'operations')).json).toMatchObject([{ state: 'SUCCEEDED' }]);
      await call('POST', 'operations:forget', { name: operation?.name });
      expect((await fetch(`${server.url}/v1/${operation?.name}`)).status).toBe(404);
      expect((await call('GET', 'export-calls')).json).toHaveLength(3);
      expect((await call('GET', 'counters')).json).toMatchObject({ calls: { export: 3, get: 1 }, faults: 2 });
      expect((await call('GET', 'settings')).json).toMatchObject({ queueLimit: 5, listOrder: 'random' });

      expect((await call('PATCH', 'settings', { queueLimits: 5 })).status).toBe(400);
      expect((await call('POST', 'operations:end', { name: 'none', state: 'SUCCEEDED' })).status).toBe(400);
      expect((await call('GET', 'nothing')).status).toBe(404);
    } finally {
      await server.close();
    }
  });
});
