import { createServer, type AddressInfo, type Server } from 'node:net';

import { describe, expect, it } from 'vitest';

import {
  EarthEngineError,
  type EarthEngine,
  type EarthEngineErrorKind,
} from '../../shared/earth-engine/api.ts';
import { responseError } from '../../shared/earth-engine/errors.ts';
import { createEarthEngine } from '../../shared/earth-engine/client.ts';
import { cpuMs } from '../cpu-time.ts';

const now = new Date('2026-11-23T12:00:00Z');
const options = { timeoutMs: 2000 };
const bytes = new TextEncoder().encode('{}');
const operation = 'projects/p/operations/ID';

const queueFull = 'Too many tasks already in the queue (3000). Please wait for some of them to complete.';
const different = 'A different Operation was already started with the given request_id';

function google(code: number, message: string, more: object = {}): string {
  return JSON.stringify({ error: { code, message, ...more } });
}

function answering(status: number, body: string, headers: Record<string, string> = {}): EarthEngine {
  const fetch = () => Promise.resolve(new Response(body === '' ? null : body, { status, headers }));
  return createEarthEngine({ url: 'http://simulator', fetch, now: () => now });
}

/** A body of 20 chunks of this size. */
function longBody(status: number, chunkBytes: number) {
  let pulled = 0;
  const chunk = new Uint8Array(chunkBytes).fill(120);
  const body = new ReadableStream<Uint8Array>({
    pull(controller) {
      pulled++;
      controller.enqueue(chunk);
      if (pulled === 20) {
        controller.close();
      }
    },
  });
  const fetch = () => Promise.resolve(new Response(body, { status }));
  return { engine: createEarthEngine({ url: 'http://simulator', fetch }), pulled: () => pulled };
}

async function errorOf(promise: Promise<unknown>): Promise<EarthEngineError> {
  const error: unknown = await promise.then(
    () => new Error('the call succeeded'),
    (thrown: unknown) => thrown,
  );
  expect(error).toBeInstanceOf(EarthEngineError);
  return error as EarthEngineError;
}

const start = (engine: EarthEngine) => engine.startExport('p', bytes, options);
const get = (engine: EarthEngine) => engine.getOperation(operation, options);
const list = (engine: EarthEngine) => engine.listOperations('p', undefined, options);
const cancel = (engine: EarthEngine) => engine.cancelOperation(operation, options);

type Row = [
  what: string,
  call: (engine: EarthEngine) => Promise<unknown>,
  status: number,
  body: string,
  kind: EarthEngineErrorKind,
];

const rows: Row[] = [
  ['queue full, as 400', start, 400, google(400, queueFull), 'QUEUE_FULL'],
  ['queue full, as 429', start, 429, google(429, queueFull), 'QUEUE_FULL'],
  ['queue full, in capitals', start, 400, google(400, queueFull.toUpperCase()), 'QUEUE_FULL'],
  ['queue full, with an unexpected status', start, 503, google(503, queueFull), 'QUEUE_FULL'],
  ['too many requests', start, 429, google(429, 'Too Many Requests'), 'RATE_LIMITED'],
  ['too many requests, without a body', list, 429, '', 'RATE_LIMITED'],
  [
    'rate limit as 403',
    start,
    403,
    google(403, 'Rate Limit Exceeded', { errors: [{ reason: 'userRateLimitExceeded' }] }),
    'RATE_LIMITED',
  ],
  [
    'rate limit as 403, in details',
    start,
    403,
    google(403, 'Slow down', { details: [{ reason: 'rateLimitExceeded' }] }),
    'RATE_LIMITED',
  ],
  ['requestId used, as 400', start, 400, google(400, different), 'ALREADY_STARTED'],
  ['requestId used, in lower case', start, 400, google(400, different.toLowerCase()), 'ALREADY_STARTED'],
  ['requestId used, with an unexpected status', start, 500, google(500, different), 'ALREADY_STARTED'],
  ['ALREADY_EXISTS', start, 400, google(400, 'Exists', { status: 'ALREADY_EXISTS' }), 'ALREADY_STARTED'],
  ['409', start, 409, google(409, 'Conflict.'), 'ALREADY_STARTED'],
  ['409 of a list', list, 409, google(409, 'Conflict.'), 'REFUSED'],
  ['a proxy’s 409', start, 409, '', 'UNANSWERED'],
  ['no credentials', start, 401, google(401, 'Invalid credentials'), 'PERMISSION'],
  ['no permission', start, 403, google(403, "Permission 'x' denied"), 'PERMISSION'],
  ['a proxy’s 403 with HTML', start, 403, '<html><title>Forbidden</title></html>', 'UNANSWERED'],
  ['the same, to list', list, 403, '<html><title>Forbidden</title></html>', 'UNANSWERED'],
  ['401 without a body', start, 401, '', 'UNANSWERED'],
  ['408', start, 408, '', 'UNANSWERED'],
  ['499', start, 499, google(499, 'The operation was cancelled.', { status: 'CANCELLED' }), 'UNANSWERED'],
  ['499 without a body', start, 499, '', 'UNANSWERED'],
  ['499, to cancel', cancel, 499, google(499, 'The operation was cancelled.'), 'UNANSWERED'],
  ['500', start, 500, google(500, 'Internal error.'), 'UNANSWERED'],
  [
    'a proxy’s 502 with HTML',
    start,
    502,
    '<html><title>Error 502</title><style>…</style></html>',
    'UNANSWERED',
  ],
  ['503 without a body', get, 503, '', 'UNANSWERED'],
  ['a redirect', start, 302, '', 'UNANSWERED'],
  ['a redirect with JSON', start, 307, google(307, 'Moved'), 'UNANSWERED'],
  ['200 with HTML', start, 200, '<html>Sign in</html>', 'UNANSWERED'],
  ['200 without a body', start, 200, '', 'UNANSWERED'],
  ['200 without a name', start, 200, '{"done":true}', 'UNANSWERED'],
  ['200 with a name of something else', start, 200, '{"name":"projects/p/assets/x"}', 'UNANSWERED'],
  ['200 with null', get, 200, 'null', 'UNANSWERED'],
  ['200 cut short', list, 200, '{"operations":[{"name":"projects/p/oper', 'UNANSWERED'],
  ['a page that is a list', list, 200, '[]', 'UNANSWERED'],
  ['a page of something else', list, 200, '{"operations":{}}', 'UNANSWERED'],
  ['a page with a broken token', list, 200, '{"nextPageToken":7}', 'UNANSWERED'],
  ['a page that is marked as incomplete', list, 200, '{"unreachable":["projects/p"]}', 'UNANSWERED'],
  ['an unknown operation', get, 404, google(404, 'not found'), 'NOT_FOUND'],
  ['the same, to cancel', cancel, 404, google(404, 'not found'), 'NOT_FOUND'],
  ['a proxy’s 404 for an operation', get, 404, '<html>Not found</html>', 'UNANSWERED'],
  ['a 404 for an operation without a body', get, 404, '', 'UNANSWERED'],
  ['a 404 for an operation with another API’s JSON', get, 404, '{"message":"no route"}', 'UNANSWERED'],
  ['a project that does not exist', start, 404, google(404, "Project 'projects/p' not found"), 'REFUSED'],
  ['the same, to list', list, 404, google(404, "Project 'projects/p' not found"), 'REFUSED'],
  ['a bad request', start, 400, google(400, "Invalid value at 'expression'"), 'REFUSED'],
  ['a proxy’s 400 with HTML', start, 400, '<html><title>Error 400 (Bad Request)!!1</title>', 'UNANSWERED'],
  ['a proxy’s 404 with HTML', start, 404, '<html><title>Error 404 (Not Found)!!1</title>', 'UNANSWERED'],
  ['a proxy’s 404, to cancel', cancel, 404, '<html>Not found</html>', 'UNANSWERED'],
  ['400 without a body', start, 400, '', 'UNANSWERED'],
  ['a refusal that is too long to read', start, 400, google(400, 'x'.repeat(100_000)), 'REFUSED'],
  ['413 without a body', start, 413, '', 'UNANSWERED'],
  ['a bad request with unusual JSON', start, 400, '{"error":"invalid"}', 'UNANSWERED'],
  [
    'a bad request with another API’s JSON',
    start,
    400,
    '{"error":{"code":"Bad","message":""}}',
    'UNANSWERED',
  ],
];

describe('an error response', () => {
  it.each(rows)('%s', async (_, call, status, body, kind) => {
    const error = await errorOf(call(answering(status, body)));
    expect(error.kind).toBe(kind);
    expect(error.code).toBe(`EARTH_ENGINE_${kind}`);
    if (status >= 300) {
      expect(error.httpStatus).toBe(status);
    }
    expect(error.message).toMatch(/\/v1\/projects\/p\//);
  });

  it('keeps Earth Engine’s message, its status, and only the title of HTML', async () => {
    const error = await errorOf(
      start(answering(400, google(400, 'Wrong.', { status: 'FAILED_PRECONDITION' }))),
    );
    expect(error).toMatchObject({ reply: 'Wrong.', status: 'FAILED_PRECONDITION' });
    expect(error.message).toBe('POST /v1/projects/p/video:export returned 400 FAILED_PRECONDITION: Wrong.');
    const html = await errorOf(
      start(answering(502, '<html><title>Error 502 (Server)</title><style>x{}</style></html>')),
    );
    expect(html).toMatchObject({ reply: 'Error 502 (Server)', status: 'INTERNAL' });
  });

  it('has a status name even if Earth Engine sends none', async () => {
    expect(await errorOf(start(answering(403, google(403, 'No.'))))).toMatchObject({
      status: 'PERMISSION_DENIED',
    });
    expect(await errorOf(start(answering(418, '')))).toMatchObject({ status: 'INVALID_ARGUMENT', reply: '' });
  });

  it('keeps at most 4 KB of a long response, and does not read the rest', async () => {
    const long = await errorOf(start(answering(400, google(400, 'x'.repeat(20_000)))));
    expect(long.reply).toHaveLength(4096);

    const { engine, pulled } = longBody(500, 16_384);
    expect((await errorOf(start(engine))).kind).toBe('UNANSWERED');
    expect(pulled()).toBeLessThan(10);
  });

  it('is recognized in a list that is longer than any list of Earth Engine’s, which is not read to its end', async () => {
    const { engine, pulled } = longBody(200, 16 * 1024 * 1024);
    expect(await errorOf(list(engine))).toMatchObject({
      kind: 'UNANSWERED',
      message: expect.stringContaining('the response is longer than 67108864 bytes') as string,
    });
    expect(pulled()).toBeLessThan(10);
  });
});

describe('an error’s text', () => {
  it('is never cut within a character', async () => {
    const error = await errorOf(start(answering(400, google(400, `${'x'.repeat(4095)}😀`))));
    expect(error.reply).toBe(`${'x'.repeat(4095)}\ufffd`);
    const html = await errorOf(start(answering(502, `${'x'.repeat(299)}😀`)));
    expect(html.reply).toBe(`${'x'.repeat(299)}\ufffd`);
  });

  it('is the beginning of a page, of which the rest is not searched for a title', async () => {
    const page = await errorOf(start(answering(502, `${'x'.repeat(3000)}<title>Late</title>`)));
    expect(page.reply).toBe('x'.repeat(300));
  });

  // 64 KB of `<` took the patterns seven seconds.
  it.each(['<', '<title', '<title ', ' <'])('is read quickly, however often it contains %j', (text) => {
    const started = cpuMs();
    const body = text.repeat(65_536 / text.length);
    responseError({ kind: 'export', name: 'POST x' }, { httpStatus: 502, body, retryAfter: null }, now);
    expect(cpuMs() - started).toBeLessThan(300);
  });
});

describe('Retry-After', () => {
  it.each([
    ['120', 120_000],
    [' 1.5 ', 1500],
    ['0', 0],
    ['Mon, 23 Nov 2026 12:00:30 GMT', 30_000],
    ['Mon, 23 Nov 2026 11:00:00 GMT', 0],
    ['soon', undefined],
    ['-5', undefined],
    // Beyond the range of Date.
    ['9'.repeat(30), 86_400_000],
    ['9'.repeat(400), 86_400_000],
    ['Mon, 23 Nov 9026 12:00:30 GMT', 86_400_000],
  ])('%s', async (header, expected) => {
    const error = await errorOf(start(answering(429, '', { 'retry-after': header })));
    expect(error.retryAfterMs).toBe(expected);
  });

  it('is absent if Earth Engine does not send it', async () => {
    expect((await errorOf(start(answering(429, '')))).retryAfterMs).toBeUndefined();
  });
});

describe('an unanswered call', () => {
  /** A server that does `then` to a connection when the request arrives. */
  async function listen(then: 'nothing' | 'destroy' | 'half'): Promise<{ url: string; server: Server }> {
    const server = createServer((socket) => {
      socket.on('error', () => {});
      socket.once('data', () => {
        if (then === 'destroy') {
          socket.resetAndDestroy();
        }
        if (then === 'half') {
          socket.write(
            'HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: 500\r\n\r\n{"name":',
          );
        }
      });
    });
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
    return { url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`, server };
  }

  it('has a signal that aborts it when its time is over', async () => {
    const fetch = (_url: string, { signal }: RequestInit) =>
      new Promise<Response>((_, reject) => {
        if (!signal) {
          reject(new Error('it would never end'));
        }
        signal?.addEventListener('abort', () => reject(signal.reason as Error));
      });
    const engine = createEarthEngine({ url: 'http://simulator', fetch });
    const error = await errorOf(engine.startExport('p', bytes, { timeoutMs: 1 }));
    expect(error).toMatchObject({ kind: 'UNANSWERED', status: 'DEADLINE_EXCEEDED' });
  });

  it.each(['nothing', 'half'] as const)('times out (server sends: %s)', async (then) => {
    const { url, server } = await listen(then);
    const error = await errorOf(createEarthEngine({ url }).startExport('p', bytes, { timeoutMs: 50 }));
    expect(error).toMatchObject({ kind: 'UNANSWERED', httpStatus: 504, status: 'DEADLINE_EXCEEDED' });
    expect(error.message).toContain('no response within 50 ms');
    server.close();
  });

  it('is abandoned if its caller aborts it', async () => {
    const { url, server } = await listen('nothing');
    const controller = new AbortController();
    server.once('connection', () => controller.abort(new Error('shutting down')));
    const error = await errorOf(
      createEarthEngine({ url }).startExport('p', bytes, { timeoutMs: 5000, signal: controller.signal }),
    );
    expect(error).toMatchObject({ kind: 'UNANSWERED', httpStatus: 504 });
    expect(error.message).toContain('shutting down');
    server.close();
  });

  it('is not sent if its caller aborted it before', async () => {
    let sent = false;
    const fetch = () => {
      sent = true;
      return Promise.resolve(new Response());
    };
    const engine = createEarthEngine({ url: 'http://simulator', fetch });
    const error = await errorOf(
      engine.startExport('p', bytes, {
        timeoutMs: 5000,
        signal: AbortSignal.abort(new Error('shutting down')),
      }),
    );
    expect(error).toMatchObject({ kind: 'NOT_SENT', httpStatus: 503 });
    expect(sent).toBe(false);
  });

  it('may have taken effect if the connection broke', async () => {
    const { url, server } = await listen('destroy');
    const error = await errorOf(start(createEarthEngine({ url })));
    expect(error).toMatchObject({ kind: 'UNANSWERED', httpStatus: 503, status: 'UNAVAILABLE' });
    server.close();
  });

  it('cannot have taken effect if no server listens or the host is unknown', async () => {
    const { url, server } = await listen('nothing');
    await new Promise((resolve) => server.close(resolve));
    expect(await errorOf(start(createEarthEngine({ url })))).toMatchObject({
      kind: 'NOT_SENT',
      httpStatus: 503,
    });
    expect(await errorOf(start(createEarthEngine({ url: 'http://no-such-host.invalid' })))).toMatchObject({
      kind: 'NOT_SENT',
    });
  });

  const failing = (cause: Error) =>
    createEarthEngine({
      url: 'http://simulator',
      fetch: () => Promise.reject(new TypeError('fetch failed', { cause })),
    });
  const failure = (syscall: string, code: string) =>
    Object.assign(new Error(`${syscall} ${code}`), { syscall, code });

  it.each(['EHOSTUNREACH', 'ENETUNREACH', 'ECONNREFUSED', 'EADDRNOTAVAIL', 'ETIMEDOUT'])(
    'was not sent if connecting failed with %s, and may have been if reading or writing did',
    async (code) => {
      const connecting = failure('connect', code);
      const several = new AggregateError([connecting, connecting]);
      expect((await errorOf(start(failing(connecting)))).kind).toBe('NOT_SENT');
      expect((await errorOf(start(failing(several)))).kind).toBe('NOT_SENT');
      expect((await errorOf(start(failing(failure('read', code))))).kind).toBe('UNANSWERED');
      expect((await errorOf(start(failing(failure('write', code))))).kind).toBe('UNANSWERED');
    },
  );

  it('leaves no listener on its caller’s signal', async () => {
    const { signal } = new AbortController();
    let listeners = 0;
    const counted = new Proxy(signal, {
      get(target, property) {
        if (property === 'addEventListener') {
          return () => listeners++;
        }
        if (property === 'removeEventListener') {
          return () => listeners--;
        }
        return Reflect.get(target, property, target) as unknown;
      },
    });
    await answering(200, `{"name":"${operation}"}`).getOperation(operation, { ...options, signal: counted });
    await errorOf(answering(500, '').getOperation(operation, { ...options, signal: counted }));
    expect(listeners).toBe(0);
  });
});
