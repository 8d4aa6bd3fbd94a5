import { describe, expect, it } from 'vitest';

import { sample } from '../record/samples.ts';
import { createRig, idOf, put } from './rig.ts';

const spent = (hours: number) =>
  sample('SUCCEEDED', {
    eecuSeconds: hours * 3600,
    finishedAt: new Date(),
    labels: { team: 'water' },
  });

describe('budget', () => {
  it('sets a budget, and shows what was spent of it', async () => {
    const rig = createRig();
    put(rig, idOf('a'), { ...spent(30), finishedAt: rig.clock.now() });
    const set = await rig.run(
      ...'budget set water --limit 40 --label team=water --notify 50 --hold 100'.split(' '),
    );
    expect(set).toMatchObject({ code: 0, err: '' });
    expect(set.out).toMatch(/label team=water/);
    expect(set.out).toMatch(/NOTIFY at 50%, HOLD at 100%/);
    expect(set.out).toMatch(/30\.00 of 40\.00 EECU-hours/);
    expect(rig.store.peek('exportBudgets/water')).toEqual({
      match: { label: { key: 'team', value: 'water' } },
      period: 'MONTH',
      limitEecuHours: 40,
      thresholds: [
        { percent: 50, action: 'NOTIFY' },
        { percent: 100, action: 'HOLD' },
      ],
    });
    const { out } = await rig.run(...'budget list'.split(' '));
    expect(out).toMatch(/water +2026-\d\d +30\.00 +40\.00 +10\.00 +open/);
  });

  it('shows little with two digits, and not as nothing', async () => {
    const rig = createRig();
    put(rig, idOf('a'), { ...spent(0.0213), finishedAt: rig.clock.now() });
    const { out } = await rig.run(...'budget set tiny --limit 0.004'.split(' '));
    expect(out).toMatch(/0\.021 of 0\.004 EECU-hours/);
    expect((await rig.run('budget', 'list')).out).toMatch(/tiny +2026-\d\d +0\.021 +0\.004 +0\.00 /);
  });

  it('sets no more budgets than the service counts', async () => {
    const rig = createRig();
    for (let n = 0; n < 200; n += 1) {
      rig.store.put(`exportBudgets/${n}`, { match: {}, period: 'MONTH', limitEecuHours: 1, thresholds: [] });
    }
    const { code, err } = await rig.run(...'budget set one-more --limit 40'.split(' '));
    expect(code).toBe(2);
    expect(err).toContain('There are 200 budgets already, and no more count. Remove one first.');
    expect((await rig.run(...'budget set 7 --limit 40'.split(' '))).code).toBe(0);
  });

  it('lists one that cannot be read, with its problem', async () => {
    const rig = createRig();
    rig.store.put('exportBudgets/broken', { period: 'WEEK' });
    const { code, out } = await rig.run(...'budget list'.split(' '));
    expect(code).toBe(0);
    expect(out).toMatch(/broken.*holds nothing: exportBudgets\/broken cannot be read/);
  });

  it('removes a budget', async () => {
    const rig = createRig();
    await rig.run(...'budget set all --limit 1 --total --cancel 100 --strict'.split(' '));
    expect(rig.store.peek('exportBudgets/all')).toMatchObject({ period: 'TOTAL', strict: true, match: {} });
    expect(await rig.run(...'budget remove all'.split(' '))).toMatchObject({ code: 0 });
    expect(rig.store.peek('exportBudgets/all')).toBeUndefined();
    expect(await rig.run(...'budget remove all'.split(' '))).toMatchObject({
      code: 1,
      err: expect.stringMatching(/no budget all/),
    });
    expect((await rig.run(...'budget list'.split(' '))).err).toMatch(/No budgets/);
  });

  it.each([
    ['budget set a/b --limit 1', /name of a budget/],
    ['budget set a --limit lots', /number of EECU-hours/],
    ['budget set a --limit 1 --hold 0', /percentage/],
    ['budget set a --limit 1 --time-zone Mars', /timeZone/],
  ])('rejects %s', async (line, problem) => {
    const rig = createRig();
    expect(await rig.run(...line.split(' '))).toMatchObject({ code: 2, err: expect.stringMatching(problem) });
    expect(rig.store.peek('exportBudgets/a')).toBeUndefined();
  });
});
