import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';

import { afterAll, beforeAll, describe, expect, it, vi } from 'vitest';

import { serveStorage, type StorageServer } from '../../infra/local/storage/serve.ts';
import { createStorage, type SimulatedStorage } from '../../infra/local/storage/storage.ts';
import { createCloudStorage } from '../../shared/storage/client.ts';
import { parseUri } from '../../shared/storage/api.ts';
import { storageContract } from './contract.ts';

let server: StorageServer;
let current: SimulatedStorage = createStorage();

beforeAll(async () => {
  server = await serveStorage({ ...current, handle: (request) => current.handle(request) });
});
afterAll(() => server.close());

/** The official client reads the variable itself, and then uses other paths. */
describe.each([true, false])('the official client over HTTP, with STORAGE_EMULATOR_HOST: %s', (isSet) => {
  storageContract(() => {
    current = createStorage();
    vi.stubEnv('STORAGE_EMULATOR_HOST', isSet ? server.url : undefined);
    const client = createCloudStorage({
      projectId: 'demo-test',
      emulatorHost: server.url,
      timeoutMs: 300,
    });
    vi.unstubAllEnvs();
    return { storage: current, client };
  });
});

/** Answers to the calls of a rewrite, and the queries that they had. */
async function rewriting(answers: readonly object[]) {
  const queries: URLSearchParams[] = [];
  const rewrites = createServer((request, response) => {
    queries.push(new URL(request.url ?? '', 'http://storage').searchParams);
    const body = JSON.stringify(answers[Math.min(queries.length, answers.length) - 1]);
    response.writeHead(200, { 'content-type': 'application/json' }).end(body);
  });
  await new Promise<void>((resolve) => rewrites.listen(0, '127.0.0.1', resolve));
  const { port } = rewrites.address() as AddressInfo;
  const emulatorHost = `http://127.0.0.1:${port}`;
  return {
    queries,
    copy: () =>
      createCloudStorage({ projectId: 'demo-test', emulatorHost }).copy(
        { bucket: 'my-bucket', name: 'a', generation: '7' },
        { bucket: 'far-away', name: 'b' },
      ),
    close: () => {
      rewrites.closeAllConnections();
      rewrites.close();
    },
  };
}

describe('a copy that takes several calls', () => {
  it('continues, and never replaces an object or copies another version', async () => {
    const { copy, queries, close } = await rewriting([
      { done: false, rewriteToken: 'one' },
      { done: false, rewriteToken: 'two' },
      { done: true },
    ]);
    await copy();
    close();
    expect(queries.map((query) => query.get('rewriteToken'))).toEqual([null, 'one', 'two']);
    for (const query of queries) {
      expect(query.get('ifGenerationMatch')).toBe('0');
      expect(query.get('sourceGeneration')).toBe('7');
    }
  });

  it('is given up if it never ends', async () => {
    const { copy, queries, close } = await rewriting([{ done: false, rewriteToken: 'again' }]);
    await expect(copy()).rejects.toMatchObject({ kind: 'UNAVAILABLE' });
    close();
    expect(queries).toHaveLength(100);
  });
});

describe('parseUri', () => {
  it('returns the bucket and the name, or undefined', () => {
    expect(parseUri('gs://b/a/b.mp4')).toEqual({ bucket: 'b', name: 'a/b.mp4' });
    expect(parseUri('gs://b/')).toEqual({ bucket: 'b', name: '' });
    expect(parseUri('drive:b/a')).toBeUndefined();
  });
});
