import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import path from 'node:path';

import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it, vi } from 'vitest';

import { createSimulator, serveSimulator, type SimulatorServer } from '../../infra/local/simulator/index.ts';
import { readConfig } from '../../shared/config.ts';
import { createEarthEngine } from '../../shared/earth-engine/client.ts';
import { applicationDefaultCredentials } from '../../shared/earth-engine/credentials.ts';
import { exportRequest } from '../infra/local/simulator/requests.ts';

const email = 'exporter@my-project.iam.gserviceaccount.com';
const options = { timeoutMs: 5000 };

/** As on Google Cloud: a metadata server that issues the tokens of the function's service account. */
let metadata: Server;
let metadataRequests: string[];
let tokens: number;
let broken: boolean;
let simulator: ReturnType<typeof createSimulator>;
let server: SimulatorServer;

const variables = [
  'GCE_METADATA_HOST',
  'METADATA_SERVER_DETECTION',
  'GOOGLE_APPLICATION_CREDENTIALS',
  'CLOUDSDK_CONFIG',
] as const;
const before = variables.map((name) => [name, process.env[name]] as const);

beforeAll(async () => {
  metadata = createServer((request, response) => {
    metadataRequests.push(request.url ?? '');
    expect(request.headers['metadata-flavor']).toBe('Google');
    const respond = (status: number, body: string) =>
      response.writeHead(status, { 'metadata-flavor': 'Google' }).end(body);
    if (broken) {
      respond(404, 'no such account');
    } else if (request.url?.includes('/service-accounts/default/token')) {
      const token = { access_token: `token-${++tokens}`, expires_in: 3600, token_type: 'Bearer' };
      respond(200, JSON.stringify(token));
    } else if (request.url?.includes('/service-accounts/default/email')) {
      respond(200, email);
    } else {
      respond(404, '');
    }
  });
  await new Promise<void>((resolve) => metadata.listen(0, '127.0.0.1', resolve));
  process.env['GCE_METADATA_HOST'] = `127.0.0.1:${(metadata.address() as AddressInfo).port}`;
  process.env['METADATA_SERVER_DETECTION'] = 'assume-present';
  delete process.env['GOOGLE_APPLICATION_CREDENTIALS'];
});

beforeEach(async () => {
  metadataRequests = [];
  tokens = 0;
  broken = false;
  simulator = createSimulator({ settings: { tokens: { 'token-1': email } } });
  server = await serveSimulator(simulator);
});

afterEach(async () => {
  vi.useRealTimers();
  await server.close();
});

afterAll(() => {
  for (const [name, value] of before) {
    if (value === undefined) {
      delete process.env[name];
    } else {
      process.env[name] = value;
    }
  }
  metadata.closeAllConnections();
  metadata.close();
});

const connect = () =>
  createEarthEngine({ url: server.url, auth: applicationDefaultCredentials('my-project') });
const tokenRequests = () => metadataRequests.filter((url) => url.includes('/token'));

describe('application default credentials from a metadata server', () => {
  it('authenticate calls as the function’s service account, with one token for all', async () => {
    const engine = connect();
    const requests = Array.from({ length: 20 }, (_, n) => exportRequest({ requestId: `id-${n}` }));
    await Promise.all(requests.map((request) => engine.startExport('my-project', request, options)));
    expect(new Set(simulator.operations().map(({ identity }) => identity))).toEqual(new Set([email]));
    expect(simulator.operations()).toHaveLength(20);
    expect(tokenRequests()).toEqual([
      expect.stringContaining('scopes=https%3A%2F%2Fwww.googleapis.com%2Fauth%2Fcloud-platform'),
    ]);
  });

  it('have the Drive scope if jobs can export to Drive, which Earth Engine refuses otherwise', async () => {
    const scopes = {
      'token-1': ['https://www.googleapis.com/auth/cloud-platform'],
      'token-2': ['https://www.googleapis.com/auth/cloud-platform', 'https://www.googleapis.com/auth/drive'],
    };
    simulator.set({ tokens: { 'token-1': email, 'token-2': email }, tokenScopes: scopes });
    const toDrive = exportRequest({
      fileExportOptions: { fileFormat: 'MP4', driveDestination: { folder: 'videos' } },
    });
    await expect(connect().startExport('my-project', toDrive, options)).rejects.toMatchObject({
      kind: 'PERMISSION',
      reply: 'Request had insufficient authentication scopes.',
    });
    await connect().listOperations('my-project', undefined, options);

    const drive = readConfig({
      GOOGLE_CLOUD_PROJECT: 'my-project',
      ALLOWED_DESTINATIONS: 'gs://*,drive:videos/*',
    }).allowsDrive;
    const engine = createEarthEngine({
      url: server.url,
      auth: applicationDefaultCredentials('my-project', { drive }),
    });
    tokens = 1;
    await engine.startExport('my-project', toDrive, options);
    expect(tokenRequests().at(-1)).toContain(
      encodeURIComponent(
        'https://www.googleapis.com/auth/cloud-platform,https://www.googleapis.com/auth/drive',
      ),
    );
  });

  it('provide a new token if the old one expired between two calls', async () => {
    vi.useFakeTimers({ toFake: ['Date'] });
    const engine = connect();
    await engine.listOperations('my-project', undefined, options);
    simulator.set({ tokens: { 'token-2': email } });
    vi.setSystemTime(Date.now() + 3_600_000);
    await engine.listOperations('my-project', undefined, options);
    expect(tokenRequests()).toHaveLength(2);
  });

  it('provide a new token if Earth Engine refused one that has not expired', async () => {
    const engine = connect();
    await engine.listOperations('my-project', undefined, options);
    simulator.set({ tokens: { 'token-2': email } });
    const refused = await Promise.allSettled(
      Array.from({ length: 5 }, () => engine.listOperations('my-project', undefined, options)),
    );
    for (const { status } of refused) {
      expect(status).toBe('rejected');
    }
    await Promise.all(
      Array.from({ length: 5 }, () => engine.listOperations('my-project', undefined, options)),
    );
    expect(tokenRequests()).toHaveLength(2);
  });

  it('keep a new token if a call is refused later that was sent with the old one', async () => {
    const auth = applicationDefaultCredentials('my-project');
    auth.drop(await auth.token());
    expect(await auth.token()).toBe('token-2');
    auth.drop('token-1');
    expect(await auth.token()).toBe('token-2');
    expect(tokenRequests()).toHaveLength(2);
  });

  it('look up their service account once', async () => {
    const engine = connect();
    expect(await engine.serviceAccount()).toBe(email);
    expect(await engine.serviceAccount()).toBe(email);
    expect(metadataRequests.filter((url) => url.includes('/email'))).toHaveLength(1);
  });

  it('are retried after they were unavailable', async () => {
    const engine = connect();
    broken = true;
    await expect(engine.listOperations('my-project', undefined, options)).rejects.toMatchObject({
      kind: 'NOT_SENT',
      message: expect.stringContaining('no access token') as string,
    });
    await expect(engine.serviceAccount()).rejects.toMatchObject({ kind: 'NOT_SENT' });
    expect(simulator.counters().calls.list).toBe(0);
    broken = false;
    await engine.listOperations('my-project', undefined, options);
    expect(await engine.serviceAccount()).toBe(email);
  });

  it('are looked for again after none were found', async () => {
    const auth = applicationDefaultCredentials('my-project');
    process.env['METADATA_SERVER_DETECTION'] = 'none';
    process.env['CLOUDSDK_CONFIG'] = path.join(tmpdir(), 'no-such-folder');
    await expect(auth.token()).rejects.toThrow();
    process.env['METADATA_SERVER_DETECTION'] = 'assume-present';
    expect(await auth.token()).toBe('token-1');
  });
});

it('a person’s credentials have no service account', async () => {
  const folder = mkdtempSync(path.join(tmpdir(), 'credentials-'));
  const file = path.join(folder, 'adc.json');
  writeFileSync(
    file,
    JSON.stringify({ type: 'authorized_user', client_id: 'c', client_secret: 's', refresh_token: 'r' }),
  );
  process.env['GOOGLE_APPLICATION_CREDENTIALS'] = file;
  try {
    expect(await connect().serviceAccount()).toBeUndefined();
  } finally {
    delete process.env['GOOGLE_APPLICATION_CREDENTIALS'];
    rmSync(folder, { recursive: true });
  }
});

it('no code looks for credentials if none are configured', async () => {
  const engine = createEarthEngine({ url: server.url });
  await engine.listOperations('my-project', undefined, options);
  expect(await engine.serviceAccount()).toBeUndefined();
  expect(metadataRequests).toEqual([]);
});
