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

describe('parseUri', () => {
  it('returns the bucket and the name, or undefined', () => {
    expect(parseUri('gs://b/a/b.mp4')).toEqual({ bucket: 'b', name: 'a/b.mp4' });
    expect(parseUri('gs://b/')).toEqual({ bucket: 'b', name: '' });
    expect(parseUri('drive:b/a')).toBeUndefined();
  });
});
