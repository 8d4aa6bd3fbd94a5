import { readFile } from 'node:fs/promises';
import { request as httpRequest } from 'node:http';
import { join } from 'node:path';
import { gunzipSync } from 'node:zlib';

import { afterAll, beforeAll, describe, expect, it } from 'vitest';

import { later, MINUTE_MS } from '../../shared/clock.ts';
import { isReadable } from '../../shared/store/store.ts';
import { recordFor, seedTeam } from './seed.ts';
import { root, servePage, type ServedPage } from './rig.ts';
import { samples } from '../record/samples.ts';

const now = new Date();
const batch = '/batches/annual-timelapses%402026-11-23';
let page: ServedPage;
beforeAll(async () => {
  page = await servePage();
  await seedTeam(page.store, now);
});
afterAll(() => page[Symbol.asyncDispose]());

const get = (path: string, headers: Record<string, string> = {}) => fetch(page.url + path, { headers });
const textOf = async (path: string) => (await get(path)).text();

describe('the page without scripts', () => {
  it('shows what runs, waits, finished, and needs attention', async () => {
    const html = await textOf('/');
    for (const text of [
      '4 things need attention',
      '1 job waits for a permission',
      'Closed',
      'Queue is full',
      'water-team',
      '338 of 400 EECU-hours (84%)',
      'annual-timelapses/2026-11-23/alps/2020',
    ]) {
      expect(html).toContain(text);
    }
  });

  it('names the budgets that hold or cancel jobs, and the commands that raise or remove them', async () => {
    await using own = await servePage();
    const { id, record } = recordFor('WAITING', 'held/1', { waitingFor: 'BUDGET', heldBy: 'trial' });
    await own.store.records.create(id, record);
    const match = { batchIdPrefix: 'trial', label: { key: 'team', value: 'water' } };
    await own.store.budgets.put('trial', {
      match,
      period: 'TOTAL',
      limitEecuHours: 5,
      thresholds: [
        { percent: 80, action: 'NOTIFY' },
        { percent: 100, action: 'HOLD' },
      ],
    });
    const used = { id: 'trial', match, period: 'TOTAL', limitEecuHours: 5, spentEecuSeconds: 3600 * 109.65 };
    const figures = { ...used, strict: false, holds: true, cancels: false, told: [] };
    const unused = { ...figures, id: 'large', spentEecuSeconds: 144, holds: false };
    await own.store.budgetStatus.create('current', { computedAt: now, budgets: [figures, unused] });
    const html = await (await fetch(own.url)).text();
    for (const text of [
      '1 thing needs attention',
      'The budget trial is used up and holds 1 job<',
      'budget set trial --limit 140 --total --batch-prefix trial --label team=water --notify 80 --hold 100<',
      'budget remove trial<',
      '(2193%)',
      '(&lt;1%)',
    ]) {
      expect(html).toContain(text);
    }
    expect(html).not.toContain('budget remove large');
  });

  it('says which role to grant, and shows the messages that were rejected, with commands', async () => {
    const html = await textOf('/');
    for (const text of [
      'needs roles/earthengine.writer on the project demo-videos',
      'gcloud projects add-iam-policy-binding demo-videos --member=serviceAccount:video-export-sender@',
      'Its sender can see every mistake.',
      'npx ee-video-exports show 9182736455<',
    ]) {
      expect(html).toContain(text);
    }
    await using own = await servePage();
    await own.store.rejectedMessages.create('77', {
      reason: 'DEAD_LETTER',
      issues: [],
      source: 'recordDeadLetter',
      attributes: {},
      data: '{}',
      createdAt: now,
      expireAt: later(now, MINUTE_MS),
    });
    const dead = await (await fetch(own.url)).text();
    expect(dead).toContain('npx ee-video-exports show 77<');
    expect(dead).toContain('jsonPayload.messageId=&quot;77&quot;');
  });

  it('shows batches, and the jobs of one as a matrix', async () => {
    expect(await textOf('/batches')).toContain('annual-timelapses@2026-11-09');
    const html = await textOf(batch);
    expect(html).toMatch(/<th scope="col"><bdi>2024<\/bdi><\/th>/);
    expect(html).toMatch(/<th scope="row"><bdi>sundarbans<\/bdi><\/th>/);
    expect(html.match(/class="cell tone-/g)).toHaveLength(48);
    expect(html).toContain('request.videoOptions.framesPerSecond');
  });

  it('lists exports by state, batch, label, and a part of the key, and continues on further pages', async () => {
    const rows = async (path: string) => (await textOf(path)).match(/data-link="\d+"/g)?.length ?? 0;
    expect(await rows('/exports')).toBe(100);
    expect(await rows('/exports?state=RUNNING')).toBe(4);
    expect(await rows('/exports?state=RUNNING&state=WAITING')).toBe(13);
    expect(await rows('/exports?batch=annual-timelapses%402026-11-23')).toBe(48);
    expect(await rows('/exports?label=team%3Dland&batch=annual-timelapses%402026-11-23')).toBe(18);
    expect(await rows('/exports?text=LAGOS')).toBe(6);
    const seen = new Set<string>();
    for (let path: string | undefined = '/exports'; path !== undefined;) {
      const html = await textOf(path);
      for (const [, id = ''] of html.matchAll(/href="\/exports\/(ve1-[a-z2-7-]+)" data-link/g)) {
        expect(seen.has(id)).toBe(false);
        seen.add(id);
      }
      path = /href="(\/exports\?after=[^"]+)"/.exec(html)?.[1]?.replaceAll('&amp;', '&');
    }
    expect(seen.size).toBe(await page.store.records.count({ where: [], orderBy: [] }));
  });

  it('shows why a job failed or waits, its history, its request, and what to run', async () => {
    const [failed] = await find('state', 'FAILED', 'annual-timelapses@2026-11-23');
    const html = await textOf(`/exports/${failed}?request`);
    for (const text of [
      'Exported bands must have compatible data types',
      'Make every frame an 8-bit image',
      `npx ee-video-exports retry ${failed}`,
      '&quot;framesPerSecond&quot;: 12',
    ]) {
      expect(html).toContain(text);
    }
    expect(html).not.toContain(`npx ee-video-exports cancel ${failed}`);
    const [waiting] = await find('waitingFor', 'PERMISSION');
    expect(await textOf(`/exports/${waiting}`)).toContain('earthengine.exports.create');
    expect(await textOf(`/exports/${waiting}`)).toContain(`npx ee-video-exports cancel ${waiting}`);
  });

  it('shows what the check of a graph found, and the graph as code', async () => {
    const findings = [
      {
        severity: 'WARNING' as const,
        code: 'NO_REGION',
        path: 'request.expression.values.0',
        message: 'The video has no region.',
        suggestion: 'Give visualize a <region>.',
      },
    ];
    const { id, record } = recordFor('PENDING', 'code/1', { findings });
    const request = await readFile(join(root, 'test/fixtures/requests/landsat-annual-timelapse.json'));
    await page.store.records.create(id, record, request);
    const html = await textOf(`/exports/${id}?request`);
    for (const text of [
      '>NO_REGION</h3>',
      'The video has no region.',
      'Give visualize a &lt;region>.',
      'request.expression.values.0',
      '(image) =>',
      'ee.ImageCollection(',
      '&quot;videoOptions&quot;: {',
    ]) {
      expect(html).toContain(text);
    }
    const code = /aria-label="Expression"><code>(.*?)<\/code>/s.exec(html)?.[1] ?? '';
    expect(code).not.toContain('functionInvocationValue');
  });

  it.each([
    ['is not a graph', '{"expression":{"values":7,"result":"0"},"description":"damaged"}'],
    ['is not an object', '"damaged"'],
    ['is not JSON', '{damaged'],
    [
      'is nested too deeply',
      `{"expression":{"result":"0","values":{"0":${nested(5000)}}},"description":"damaged"}`,
    ],
  ])('shows a request as JSON if it %s', async (name, json) => {
    const { id, record } = recordFor('PENDING', `damaged/${name}`);
    await page.store.records.create(id, record, new TextEncoder().encode(json));
    const html = await textOf(`/exports/${id}?request`);
    expect(html).toContain('damaged');
    expect(html).not.toContain('aria-label="Expression"');
  });

  it('finds videos that are missing or suspect, and says how to render them again', async () => {
    await using delivered = await servePage();
    const ids: string[] = [];
    for (const [n, state] of (['VERIFIED', 'MISSING', 'SUSPECT', 'MISSING'] as const).entries()) {
      const problems = state === 'MISSING' ? [{ code: 'NOT_FOUND' as const, message: 'It never came.' }] : [];
      const { id, record } = recordFor('SUCCEEDED', `delivered/${n}`, {
        delivery: { state, problems },
        finishedAt: later(now, -MINUTE_MS),
      });
      await delivered.store.records.create(id, record);
      ids.push(id);
    }
    const html = async (path: string) => (await fetch(delivered.url + path)).text();
    const rows = async (path: string) => (await html(path)).match(/data-link="\d+"/g)?.length ?? 0;
    expect(await rows('/exports')).toBe(4);
    expect(await rows('/exports?delivery=MISSING')).toBe(2);
    expect(await rows('/exports?delivery=MISSING&delivery=SUSPECT')).toBe(3);
    expect(await rows('/exports?delivery=MISSING&text=delivered/3')).toBe(1);
    expect(await rows('/exports?delivery=MISSING&state=FAILED')).toBe(0);
    expect(await html('/exports?delivery=MISSING')).toContain('It never came.');
    const overview = await html('/');
    for (const text of [
      '2 videos of the last 24 hours did not arrive',
      '1 video of the last 24 hours is not as requested',
      'href="/exports?delivery=MISSING"',
    ]) {
      expect(overview).toContain(text);
    }
    expect(await html(`/exports/${ids[1]}`)).toContain(`retry ${ids[1]} --undelivered`);
    expect(await html(`/exports/${ids[1]}`)).toContain(`verify ${ids[1]}`);
    expect(await html(`/exports/${ids[0]}`)).not.toMatch(/--undelivered|exports verify/);
  });

  it('shows other attempts at the job', async () => {
    const { id, record } = recordFor('FAILED', 'attempts/1');
    await page.store.records.create(id, record);
    await page.store.records.create(`${id}-2`, {
      ...samples.PENDING,
      ...record,
      ...pendingFields,
      attempt: 2,
    });
    expect(await textOf(`/exports/${id}`)).toContain(`href="/exports/${id}-2"`);
    expect(await textOf(`/exports/${id}-2`)).toContain(`href="/exports/${id}"`);
  });
});

/** A value in as many lists. */
function nested(depth: number): string {
  return '{"arrayValue":{"values":['.repeat(depth) + '{"constantValue":1}' + ']}}'.repeat(depth);
}

const pendingFields = {
  state: 'PENDING',
  dueAt: later(now, MINUTE_MS),
  movedAt: now,
  generation: 1,
} as const;

const find = async (field: string, value: string, batchId?: string) =>
  (
    await page.store.records.find(
      {
        where: [[field, '==', value], ...(batchId ? ([['batchId', '==', batchId]] as const) : [])],
        orderBy: [],
      },
      { limit: 9 },
    )
  ).map(({ id }) => id);

describe('responses', () => {
  it('answer the record as JSON, and its request', async () => {
    const [id = ''] = await find('state', 'SUCCEEDED', 'annual-timelapses@2026-11-23');
    const response = await get(`/api/exports/${id}`);
    expect(response.headers.get('content-type')).toBe('application/json; charset=utf-8');
    const found = await page.store.records.get(id);
    const value = found && isReadable(found) ? found.value : undefined;
    expect(await response.json()).toEqual(JSON.parse(JSON.stringify({ id, ...value })));
    expect(await (await get(`/api/exports/${id}/request`)).json()).toMatchObject({
      description: 'annual-timelapse',
    });
  });

  it.each([
    '/nothing',
    '/exports/ve1-nothing',
    '/exports/__x__',
    '/exports/%ff',
    '/exports/a/b',
    '/batches/nothing',
    '/assets/nothing.js',
    '/api/exports/ve1-nothing',
    '/api/exports/ve1-nothing/request',
    '/api/exports/%ff',
    '/api/nothing',
    '/api/views/nothing',
  ])('are 404 for %s', async (path) => {
    expect((await get(path)).status).toBe(404);
  });

  it('are 200 for a health check, also while the store fails', async () => {
    expect((await get('/healthz')).status).toBe(200);
  });

  it.each(['POST', 'PUT', 'DELETE', 'PATCH'])('are 405 for %s', async (method) => {
    const response = await fetch(page.url, { method });
    expect([response.status, response.headers.get('allow')]).toEqual([405, 'GET, HEAD']);
  });

  it('have no body for HEAD', async () => {
    const response = await fetch(page.url, { method: 'HEAD' });
    expect([response.status, await response.text()]).toEqual([200, '']);
    expect(Number(response.headers.get('content-length'))).toBeGreaterThan(1000);
  });

  it.each(['/', '/exports', '/api/views/', '/healthz', '/nothing', '/api/exports/nothing'])(
    'forbid everything that the page does not need: %s',
    async (path) => {
      const { headers } = await get(path);
      const policy = headers.get('content-security-policy') ?? '';
      expect(policy).toContain("default-src 'none'");
      expect(policy).not.toMatch(/unsafe|https?:|\*/);
      expect(headers.get('x-content-type-options')).toBe('nosniff');
      expect(headers.get('cache-control')).toBe('no-store');
    },
  );

  it('refuse requests from pages of other sites, but not links', async () => {
    const cross = { 'sec-fetch-site': 'cross-site' };
    expect(await statusWith('/api/views/', { ...cross, 'sec-fetch-mode': 'cors' })).toBe(403);
    expect(await statusWith('/api/stream', { ...cross, 'sec-fetch-mode': 'navigate' })).toBe(403);
    expect(await statusWith('/exports', { ...cross, 'sec-fetch-mode': 'navigate' })).toBe(200);
  });

  it('are compressed for clients that accept it, and keep files for a year', async () => {
    const html = await raw('/exports', { 'accept-encoding': 'gzip' });
    expect(html.headers['content-encoding']).toBe('gzip');
    expect(gunzipSync(html.body).toString()).toContain('<h1>Exports</h1>');
    expect((await raw('/exports', {})).headers['content-encoding']).toBeUndefined();
    const [file = ''] = /\/assets\/page-\w+\.js/.exec(await textOf('/')) ?? [];
    const script = await get(file);
    expect(script.headers.get('cache-control')).toContain('immutable');
    expect(script.headers.get('content-type')).toContain('javascript');
  });

  it('do not contain what went wrong inside', async () => {
    const failing = {
      ...page.store,
      records: { ...page.store.records, find: fail, get: fail, count: fail },
      budgetStatus: { ...page.store.budgetStatus, get: fail },
    };
    await using broken = await servePage({ seen: failing });
    for (const path of ['/', '/exports', '/exports/ve1-x', '/api/views/', '/api/exports/ve1-x']) {
      const response = await fetch(broken.url + path);
      expect([path, response.status]).toEqual([path, 500]);
      expect(await response.text()).not.toContain('secret');
    }
    expect((await fetch(`${broken.url}/healthz`)).status).toBe(200);
    expect(broken.lines.join('\n')).toContain('page.failed');
  });
});

const fail = async (): Promise<never> => {
  throw new Error('a secret detail');
};

/** `fetch` does not send these headers. */
function raw(path: string, headers: Record<string, string>) {
  return new Promise<{ status: number | undefined; headers: Record<string, unknown>; body: Buffer }>(
    (resolve, reject) => {
      httpRequest(page.url + path, { headers }, (response) => {
        const chunks: Buffer[] = [];
        response.on('data', (chunk: Buffer) => chunks.push(chunk));
        response.on('end', () =>
          resolve({ status: response.statusCode, headers: response.headers, body: Buffer.concat(chunks) }),
        );
      })
        .on('error', reject)
        .end();
    },
  );
}
const statusWith = async (path: string, headers: Record<string, string>) => (await raw(path, headers)).status;

describe('hostile text', () => {
  const hostile = [
    '<img src=x onerror=alert(1)>',
    '</script><script>alert(1)</script>',
    '"><svg onload=alert(1)>',
    "javascript:alert('x')",
    '\u202Egnp.exe\u2066',
    '<!--<script>',
    'é'.repeat(5000),
  ];

  it.each(hostile)('is text everywhere: %s', async (text) => {
    const { id, record } = recordFor('FAILED', `hostile/${text}`, {
      description: text,
      destination: text,
      batchId: text.replaceAll('/', '-').slice(0, 100),
      labels: { team: text, [text.slice(0, 40)]: text },
      error: { code: 3, status: text, message: text, retryable: false, advice: text },
      history: [{ state: text, at: now, note: text }],
      finishedAt: now,
      createdAt: later(now, MINUTE_MS),
      updatedAt: now,
    });
    await page.store.records.create(id, record, new TextEncoder().encode(JSON.stringify({ text })));
    for (const path of [
      '/',
      `/exports/${id}?request`,
      `/exports?text=${encodeURIComponent(text.slice(0, 100))}`,
    ]) {
      const html = await textOf(path);
      expect(html).not.toMatch(/<img|<svg onload|<script>alert/);
      // Two scripts: the page's own file, and its data, which ends where it should.
      expect(html.match(/<script/g)).toHaveLength(2);
      expect(html.match(/<\/script>/g)).toHaveLength(2);
      const data = /<script type="application\/json" id="frame">(.*)<\/script>/.exec(html)?.[1] ?? '';
      expect(() => JSON.parse(data) as unknown).not.toThrow();
      expect(html).not.toMatch(/href="javascript:/i);
    }
    expect(await textOf(`/exports/${id}`)).toContain('hostile/');
  });

  it('of 10 KB in a key does not make lists large', async () => {
    const { id, record } = recordFor('PENDING', `long/${'x'.repeat(10_000)}`, {
      createdAt: later(now, 2 * MINUTE_MS),
    });
    await page.store.records.create(id, record);
    const html = await textOf('/exports?text=long');
    expect(html.length).toBeLessThan(20_000);
  });

  it('of a record that cannot be read is shown as such', async () => {
    page.store.put('videoExports/unreadable', {
      ...samples.PENDING,
      attempt: '<b>one</b>',
      createdAt: later(now, 3 * MINUTE_MS),
    });
    expect(await textOf('/exports?text=unreadable')).toContain('class="badge tone-bad"');
    expect((await get('/exports/unreadable')).status).toBe(422);
    expect((await get('/api/exports/unreadable')).status).toBe(422);
  });
});
