import { beforeEach, describe, expect, it } from 'vitest';

import { serveSimulator } from '../../../../infra/local/simulator/index.ts';
import { createRig, type Rig } from './rig.ts';
import { exportRequest } from './requests.ts';

let rig: Rig;
beforeEach(() => {
  rig = createRig();
});

it("returns a project's configuration, and 404 for a method that Earth Engine does not have", async () => {
  expect((await rig.ask('GET', '/v1/projects/p/config')).json.registrationState).toBe(
    'REGISTERED_NOT_COMMERCIALLY',
  );
  expect(await rig.ask('DELETE', '/v1/projects/p/operations/x')).toMatchObject({ status: 404 });
  expect(await rig.ask('GET', '/v2/projects/p/config')).toMatchObject({ status: 404 });
});

describe('over HTTP', () => {
  it('can be controlled and read by another process', async () => {
    const server = await serveSimulator(rig.simulator);
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
      const [operation] = rig.simulator.operations();
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
