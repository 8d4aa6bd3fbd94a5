import { beforeEach, describe, expect, it } from 'vitest';

import { createRig, type Rig } from './rig.ts';

let rig: Rig;
beforeEach(() => {
  rig = createRig();
});

describe('the list', () => {
  async function names(pageSize: number): Promise<string[]> {
    const seen: string[] = [];
    let token = '';
    do {
      const { json } = await rig.ask(
        'GET',
        `/v1/projects/p/operations?pageSize=${pageSize}&pageToken=${token}`,
      );
      seen.push(...(json.operations ?? []).map(({ name }) => name));
      token = json.nextPageToken ?? '';
    } while (token !== '');
    return seen;
  }

  it('is in order of age, in either direction, or in a random order that stays, with operations of other users', async () => {
    rig.simulator.setOthers('p', { ended: 1001, running: 1, pending: 1 });
    const ours: string[] = [];
    for (let n = 0; n < 20; n++) {
      ours.push((await rig.start({ requestId: `r${n}` })).json.name);
    }
    const newest = await names(500);
    expect(newest.slice(0, 20)).toEqual([...ours].reverse());
    rig.simulator.set({ listOrder: 'oldest' });
    const oldest = await names(5000);
    expect(oldest).toEqual([...newest].reverse());
    rig.simulator.set({ listOrder: 'random' });
    const random = await names(100);
    expect(random).not.toEqual(newest);
    expect(new Set(random)).toEqual(new Set(newest));
    expect(random).toHaveLength(1023);
    for (const name of [newest[20], newest.at(-1)]) {
      expect(await rig.get(name ?? '')).toMatchObject({ status: 200 });
    }
  });

  it('has at most 500 operations per page, and refuses an invalid page token', async () => {
    rig.simulator.setOthers('p', { ended: 1001 });
    const page = await rig.ask('GET', '/v1/projects/p/operations?pageSize=5000');
    expect(page.json.operations).toHaveLength(500);
    expect(await rig.ask('GET', '/v1/projects/p/operations?pageToken=nonsense')).toMatchObject({
      status: 400,
    });
  });

  it('shows an operation late, if the settings require it', async () => {
    rig = createRig({ listLagMs: 5000 });
    const { name } = (await rig.start({ requestId: 'a' })).json;
    rig.pass(4999);
    expect(await names(500)).toEqual([]);
    rig.pass(1);
    expect(await names(500)).toEqual([name]);
  });

  it('has each of 70,000 old operations once, in random order', async () => {
    rig = createRig({ listOrder: 'random' });
    rig.simulator.setOthers('p', { ended: 70_000 });
    expect(new Set(await names(500)).size).toBe(70_000);
  });
});
