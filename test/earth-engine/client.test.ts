import { afterEach, beforeEach, describe, expect, it } from 'vitest';

import {
  createSimulator,
  serveSimulator,
  simulatorFetch,
  type Simulator,
  type SimulatorServer,
} from '../../infra/local/simulator/index.ts';
import type { EarthEngine } from '../../shared/earth-engine/api.ts';
import { createEarthEngine } from '../../shared/earth-engine/client.ts';
import type { TokenSource } from '../../shared/earth-engine/credentials.ts';
import type { EarthEngineOptions } from '../../shared/earth-engine/http.ts';
import { exportRequest } from '../infra/local/simulator/requests.ts';

const project = 'my-project';
const options = { timeoutMs: 5000 };
const email = 'exporter@my-project.iam.gserviceaccount.com';

let time: Date;
let simulator: Simulator;
let server: SimulatorServer | undefined;

/** The service's client against the simulator, with and without a network between them. */
describe.each(['over HTTP', 'in process'])('the client against the simulator, %s', (way) => {
  beforeEach(async () => {
    time = new Date('2026-11-23T12:00:00Z');
    simulator = createSimulator({
      now: () => time,
      sleep: () => Promise.resolve(),
      settings: { pendingMs: 1000, runMs: [10_000, 10_000], concurrency: 1, startsPerSecond: 1000 },
    });
    server = way === 'over HTTP' ? await serveSimulator(simulator) : undefined;
  });

  afterEach(() => server?.close());

  function connect(more: Partial<EarthEngineOptions> = {}): EarthEngine {
    return createEarthEngine(
      server
        ? { url: server.url, ...more }
        : { url: 'http://simulator', fetch: simulatorFetch(simulator), ...more },
    );
  }

  it('starts, gets, lists and cancels an operation', async () => {
    const engine = connect();
    const started = await engine.startExport(project, exportRequest({ requestId: 'id-1' }), options);
    expect(started).toMatchObject({
      done: false,
      state: 'PENDING',
      type: 'EXPORT_VIDEO',
      description: 'demo_id-1',
    });
    expect(simulator.operations()[0]?.name).toBe(started.name);

    time = new Date(time.getTime() + 6000);
    const running = await engine.getOperation(started.name, options);
    expect(running).toMatchObject({ state: 'RUNNING', progress: 0.5, stage: 'Render Frames', units: 60 });
    expect(running.startTime).toEqual(new Date('2026-11-23T12:00:01Z'));

    const page = await engine.listOperations(project, undefined, options);
    expect(page).toEqual({ operations: [running], nextPageToken: undefined });

    await engine.cancelOperation(started.name, options);
    expect(await engine.getOperation(started.name, options)).toMatchObject({
      state: 'CANCELLING',
      done: false,
    });
    time = new Date(time.getTime() + 500);
    expect(await engine.getOperation(started.name, options)).toMatchObject({
      state: 'CANCELLED',
      done: true,
      error: { code: 1, message: 'Cancelled.' },
    });
  });

  it('gets an operation that succeeded', async () => {
    const engine = connect();
    const { name } = await engine.startExport(project, exportRequest({ requestId: 'id-1' }), options);
    time = new Date(time.getTime() + 11_000);
    expect(await engine.getOperation(name, options)).toMatchObject({
      state: 'SUCCEEDED',
      done: true,
      hasResponse: true,
      progress: 1,
      destinationUris: ['https://console.cloud.google.com/storage/browser/my-bucket/videos/demo'],
      eecuSeconds: 32,
      endTime: new Date('2026-11-23T12:00:11Z'),
    });
  });

  it('reads every page of a list', async () => {
    simulator.setOthers(project, { ended: 1200 });
    const engine = connect();
    const names = new Set<string>();
    const sizes: number[] = [];
    let token: string | undefined;
    do {
      const page = await engine.listOperations(project, token, options);
      sizes.push(page.operations.length);
      for (const { name } of page.operations) {
        names.add(name);
      }
      token = page.nextPageToken;
    } while (token !== undefined && sizes.length < 10);
    expect(sizes).toEqual([500, 500, 200]);
    expect(names.size).toBe(1200);
  });

  it('sends exactly the given bytes', async () => {
    const request = exportRequest({ requestId: 'id-1' });
    await connect().startExport(project, request, options);
    const digest = await crypto.subtle.digest('SHA-256', request);
    expect(simulator.exportCalls[0]?.sha256).toBe(Buffer.from(digest).toString('hex'));
  });

  it('reports what Earth Engine refuses', async () => {
    await expect(
      connect().startExport(project, new TextEncoder().encode('{"expresion":{}}'), options),
    ).rejects.toMatchObject({
      kind: 'REFUSED',
      httpStatus: 400,
      reply: expect.stringContaining('expresion') as string,
    });
    await expect(
      connect().getOperation(`projects/${project}/operations/NONE`, options),
    ).rejects.toMatchObject({
      kind: 'NOT_FOUND',
    });
  });

  it.each([
    ['a 429', { kind: 'status', status: 429, retryAfter: '7' }, { kind: 'RATE_LIMITED', retryAfterMs: 7000 }],
    ['an HTML page', { kind: 'html' }, { kind: 'UNANSWERED', httpStatus: 502 }],
    ['a connection that breaks', { kind: 'reset' }, { kind: 'UNANSWERED', httpStatus: 503 }],
    ['a garbled response', { kind: 'garbled', body: '{"na' }, { kind: 'UNANSWERED', httpStatus: 502 }],
  ] as const)('recognizes %s, and works again after it', async (_, fault, expected) => {
    simulator.failNext('export', fault);
    const request = exportRequest({ requestId: 'id-1' });
    const engine = connect();
    await expect(engine.startExport(project, request, options)).rejects.toMatchObject(expected);
    expect(await engine.startExport(project, request, options)).toMatchObject({ state: 'PENDING' });
    expect(simulator.operations()).toHaveLength(1);
  });

  it('gets the same operation if the response was lost', async () => {
    simulator.failNext('export', { kind: 'lost' });
    const request = exportRequest({ requestId: 'id-1' });
    const engine = connect();
    await expect(engine.startExport(project, request, options)).rejects.toMatchObject({ kind: 'UNANSWERED' });
    const { name } = await engine.startExport(project, request, options);
    expect(simulator.operations().map((operation) => operation.name)).toEqual([name]);
  });

  it('times out if Earth Engine does not respond', async () => {
    simulator.failNext('export', { kind: 'silence', worked: true });
    await expect(
      connect().startExport(project, exportRequest({ requestId: 'id-1' }), { timeoutMs: 30 }),
    ).rejects.toMatchObject({ kind: 'UNANSWERED', httpStatus: 504 });
    expect(simulator.operations()).toHaveLength(1);
  });

  it('calls as a service account, for a project, and gets a new token after a 401', async () => {
    simulator.set({ tokens: { 'token-1': email, 'token-2': email } });
    let number = 1;
    const auth: TokenSource = {
      token: () => Promise.resolve(`token-${number}`),
      drop(token) {
        expect(token).toBe(`token-${number}`);
        number++;
      },
      serviceAccount: () => Promise.resolve(email),
    };
    const engine = connect({ auth });
    const request = exportRequest({ requestId: 'id-1' });
    await engine.startExport(project, request, options);
    expect(simulator.exportCalls[0]).toMatchObject({ identity: email, outcome: 'STARTED' });

    simulator.set({ tokens: { 'token-2': email } });
    await expect(engine.startExport(project, request, options)).rejects.toMatchObject({
      kind: 'PERMISSION',
      httpStatus: 401,
    });
    expect(await engine.startExport(project, request, options)).toMatchObject({ state: 'PENDING' });
    expect(await engine.serviceAccount()).toBe(email);
  });

  it('reports the quota status to its observer', async () => {
    const statuses: [string, boolean][] = [];
    const engine = connect({ observer: { quotaStatus: (...status) => statuses.push(status) } });
    await engine.listOperations(project, undefined, options);
    simulator.set({ quotaStatus: 'tier=community,parallelism_restricted=true' });
    await engine.listOperations(project, undefined, options);
    simulator.set({ quotaStatus: 'parallelism_restricted=false' });
    await expect(engine.getOperation('projects/other-project/operations/X', options)).rejects.toMatchObject({
      kind: 'NOT_FOUND',
    });
    expect(statuses).toEqual([
      [project, true],
      ['other-project', false],
    ]);
  });
});

describe('a request of the client', () => {
  const sent: { url: string; init: RequestInit }[] = [];
  const fetch = (url: string, init: RequestInit) => {
    sent.push({ url, init });
    const [, requested] = /\/v1\/(projects\/.*\/operations\/.*)$/.exec(decodeURIComponent(url)) ?? [];
    return Promise.resolve(Response.json({ name: requested ?? 'projects/123456789/operations/x' }));
  };
  const auth: TokenSource = {
    token: () => Promise.resolve('secret'),
    drop: () => {},
    serviceAccount: () => Promise.resolve(undefined),
  };

  beforeEach(() => {
    sent.length = 0;
  });

  it('gets a new token after Earth Engine refused the old one, and only then', async () => {
    const dropped: string[] = [];
    const refusing = (status: number) =>
      createEarthEngine({
        url: 'https://ee',
        fetch: () => Promise.resolve(new Response(null, { status })),
        auth: { ...auth, drop: (token) => dropped.push(token) },
      });
    for (const status of [200, 403, 500, 401]) {
      await refusing(status)
        .cancelOperation('projects/p/operations/x', options)
        .catch(() => {});
    }
    expect(dropped).toEqual(['secret']);
  });

  it('has the token and the quota project if there are credentials', async () => {
    const engine = createEarthEngine({ url: 'https://ee', fetch, auth });
    await engine.startExport('my-project', exportRequest({}), options);
    expect(sent[0]).toMatchObject({
      url: 'https://ee/v1/projects/my-project/video:export',
      init: {
        method: 'POST',
        redirect: 'manual',
        headers: {
          authorization: 'Bearer secret',
          'x-goog-user-project': 'my-project',
          'content-type': 'application/json',
          'user-agent': 'ee-video-exports',
        },
      },
    });
  });

  it('has neither without credentials', async () => {
    await createEarthEngine({ url: 'http://ee', fetch }).listOperations('my-project', 'a/b&c', options);
    expect(sent[0]?.url).toBe('http://ee/v1/projects/my-project/operations?pageSize=500&pageToken=a%2Fb%26c');
    expect(sent[0]?.init.headers).not.toHaveProperty('authorization');
    expect(sent[0]?.init.headers).not.toHaveProperty('x-goog-user-project');
  });

  it('cannot be redirected by a project or an operation name', async () => {
    const engine = createEarthEngine({ url: 'http://ee', fetch });
    await engine.startExport('a/../b?c', exportRequest({}), options);
    await engine.getOperation('projects/example.com:p/operations/x?y#z', options);
    expect(sent.map(({ url }) => url)).toEqual([
      'http://ee/v1/projects/a%2F..%2Fb%3Fc/video:export',
      'http://ee/v1/projects/example.com:p/operations/x%3Fy%23z',
    ]);
    await expect(engine.cancelOperation('projects/../operations/x', options)).rejects.toMatchObject({
      kind: 'REFUSED',
    });
    expect(sent).toHaveLength(2);
  });

  it('uses the quota of the project that its caller names, whatever Earth Engine calls it', async () => {
    const engine = createEarthEngine({ url: 'http://ee', fetch, auth });
    const name = 'projects/123456789/operations/x';
    await engine.getOperation(name, { ...options, project: 'my-project' });
    await engine.cancelOperation(name, { ...options, project: 'my-project' });
    await engine.getOperation(name, options);
    expect(sent.map(({ init }) => new Headers(init.headers).get('x-goog-user-project'))).toEqual([
      'my-project',
      'my-project',
      '123456789',
    ]);
    expect(sent[0]?.url).toBe('http://ee/v1/projects/123456789/operations/x');
  });

  it('is not sent without a token', async () => {
    const noToken = { ...auth, token: () => Promise.reject(new Error('metadata server is away')) };
    const engine = createEarthEngine({ url: 'http://ee', fetch, auth: noToken });
    await expect(engine.listOperations('p', undefined, options)).rejects.toMatchObject({
      kind: 'NOT_SENT',
      message: 'GET /v1/projects/p/operations was not sent: no access token: metadata server is away',
    });
    const hanging = { ...auth, token: () => new Promise<string>(() => {}) };
    await expect(
      createEarthEngine({ url: 'http://ee', fetch, auth: hanging }).listOperations('p', undefined, {
        timeoutMs: 20,
      }),
    ).rejects.toMatchObject({ kind: 'NOT_SENT' });
    expect(sent).toHaveLength(0);
  });

  it('is not sent after its caller has aborted it', async () => {
    const signal = AbortSignal.abort(new Error('shutting down'));
    await expect(
      createEarthEngine({ url: 'http://ee', fetch }).listOperations('p', undefined, { ...options, signal }),
    ).rejects.toMatchObject({ kind: 'NOT_SENT' });
    expect(sent).toHaveLength(0);
  });
});

describe('a response about something else', () => {
  const naming = (name: string) =>
    createEarthEngine({ url: 'http://ee', fetch: () => Promise.resolve(Response.json({ name })) });
  const requested = 'projects/my-project/operations/x';

  it.each(['projects/my-project/operations/y', 'projects/other/operations/x', 'projects/123/operations/y'])(
    'is not accepted for a get: %s',
    async (name) => {
      await expect(naming(name).getOperation(requested, options)).rejects.toMatchObject({
        kind: 'UNANSWERED',
      });
    },
  );

  it('is not accepted for an export: an operation of another project', async () => {
    const request = exportRequest({});
    const elsewhere = naming('projects/other/operations/x').startExport('my-project', request, options);
    await expect(elsewhere).rejects.toMatchObject({ kind: 'UNANSWERED' });
  });

  it('is not assumed if Earth Engine names the project by its number', async () => {
    const engine = naming('projects/123456789/operations/x');
    expect(await engine.getOperation(requested, options)).toMatchObject({ done: false });
    expect(await engine.startExport('my-project', exportRequest({}), options)).toMatchObject({ done: false });
  });
});
