import { describe, expect, it } from 'vitest';

import { HOUR_MS, later } from '../../shared/clock.ts';
import { hold } from '../budget/rig.ts';
import { sample } from '../record/samples.ts';
import { createRig, idOf, put, type Rig, type RigOptions } from './rig.ts';

const HOUR = 3600;
/** The rig's clock stands at noon of November 23: seven and a half days are left of the month. */
const LEFT_OF_WEEKS = 7.5 / 7;

const endedBefore = (rig: Rig, hours: number): Date => later(rig.clock.now(), -hours * HOUR_MS);

/** Jobs of two teams: water's second attempt succeeded, land's job runs. */
function createReportRig(options?: RigOptions): Rig {
  const rig = createRig(options);
  const job = { batchId: 'weekly@1', labels: { team: 'water' }, shapeHash: 'aa' };
  const shared = { ...job, jobKey: 'a', createdAt: endedBefore(rig, 5) };
  put(
    rig,
    idOf('a'),
    sample('FAILED', {
      ...shared,
      eecuSeconds: HOUR,
      eecuIsLowerBound: true,
      finishedAt: endedBefore(rig, 4),
    }),
  );
  put(rig, `${idOf('a')}-2`, {
    ...sample('SUCCEEDED', { ...shared, attempt: 2, eecuSeconds: 2 * HOUR, createdAt: endedBefore(rig, 3) }),
    finishedAt: endedBefore(rig, 1),
  });
  // In the previous month.
  const old = { ...job, jobKey: 'b', eecuSeconds: 4 * HOUR, createdAt: endedBefore(rig, 800) };
  put(rig, idOf('b'), sample('SUCCEEDED', { ...old, finishedAt: endedBefore(rig, 700) }));
  const land = { batchId: 'daily@1', labels: { team: 'land' }, shapeHash: 'bb', jobKey: 'c' };
  put(
    rig,
    idOf('c'),
    sample('RUNNING', { ...land, eecuSeconds: 8 * HOUR, createdAt: endedBefore(rig, 900) }),
  );
  return rig;
}

interface Groups {
  readonly groups: Record<string, unknown>[];
}

const report = async (rig: Rig, ...args: string[]): Promise<Groups['groups']> => {
  const { out } = await rig.run('stats', '--json', '--by', ...args);
  return (JSON.parse(out) as Groups).groups;
};

describe('stats --by', () => {
  it('says what failures and retries cost, and forecasts the month from the last seven days', async () => {
    const [water, land] = await report(createReportRig(), 'label:team');
    expect(water).toMatchObject({
      group: 'water',
      counts: { SUCCEEDED: 2 },
      eecuSeconds: 6 * HOUR,
      eecuSecondsAtLeast: HOUR,
      eecuSecondsFailed: HOUR,
      eecuSecondsRetried: 2 * HOUR,
      eecuSecondsThisMonth: 3 * HOUR,
      eecuSecondsForecast: 3 * HOUR + 3 * HOUR * LEFT_OF_WEEKS,
    });
    // What runs counts in the current month, and says nothing about the pace.
    expect(land).toMatchObject({ eecuSecondsThisMonth: 8 * HOUR, eecuSecondsForecast: 8 * HOUR });
    expect(water).not.toHaveProperty('cost');
    expect(water).not.toHaveProperty('budgetLeft');
  });

  it('groups by the month in which jobs end, as budgets do', async () => {
    expect(await report(createReportRig(), 'month')).toMatchObject([
      {
        group: '2026-11',
        eecuSecondsThisMonth: 11 * HOUR,
        eecuSecondsForecast: 11 * HOUR + 3 * HOUR * LEFT_OF_WEEKS,
      },
      { group: '2026-10', eecuSeconds: 4 * HOUR, eecuSecondsThisMonth: 0 },
    ]);
    const [, october] = await report(createReportRig(), 'month');
    expect(october).not.toHaveProperty('eecuSecondsForecast');
  });

  it('groups by shape, with a job of each', async () => {
    expect(await report(createReportRig(), 'shape')).toMatchObject([
      { group: 'aa', example: 'a (attempt 2)', counts: { SUCCEEDED: 2 } },
      { group: 'bb', example: 'c', counts: { RUNNING: 1 } },
    ]);
  });

  it('adds what is left of the tightest budget that covers all jobs of a group', async () => {
    const rig = createReportRig();
    rig.store.put('exportBudgets/all', { ...hold(100) });
    rig.store.put('exportBudgets/water', {
      ...hold(10, { match: { label: { key: 'team', value: 'water' } } }),
    });
    await rig.run('budget', 'list');
    const left = async (by: string) => (await report(rig, by)).map(({ budgetLeft }) => budgetLeft);
    expect(await left('label:team')).toEqual([
      { id: 'water', eecuHours: 7 },
      { id: 'all', eecuHours: 89 },
    ]);
    // The month has jobs of another team, and a month that is over has no budget.
    expect(await left('month')).toEqual([{ id: 'all', eecuHours: 89 }, undefined]);
    rig.clock.advance(10 * 24 * HOUR_MS);
    expect(await left('label:team')).toEqual([undefined, undefined]);
  });

  it('adds the cost in money', async () => {
    const [water, land] = await report(createReportRig(), 'label:team', '--price', '0.5');
    expect([water?.['cost'], land?.['cost']]).toEqual([3.5, 4]);
  });

  it('writes CSV with every figure', async () => {
    const { out } = await createReportRig().run(
      'stats',
      '--by',
      'label:team',
      '--price',
      '0.5',
      '--format',
      'csv',
    );
    expect(out.split('\n')).toEqual([
      'team,jobs,succeeded,unsuccessful,unfinished,eecuHours,eecuHoursAtLeast,eecuHoursFailed,eecuHoursRetried,eecuHoursThisMonth,eecuHoursForecast,budgetHoursLeft,budget,cost',
      'water,2,2,0,0,6.00,1.00,1.00,2.00,3.00,6.21,,,3.50',
      'land,1,0,0,1,0.00,8.00,0.00,0.00,8.00,8.00,,,4.00',
      '',
    ]);
  });

  it('fits into a terminal of 80 columns', async () => {
    const rig = createReportRig({ isInteractive: true });
    const { out } = await rig.run('stats', '--by', 'label:team', '--price', '0.5');
    const [header = '', water = ''] = out.split('\n');
    expect(header).toMatch(/^TEAM +JOBS +EECU-HOURS +AT LEAST +FAILURES +RETRIES +FORECAST +LEFT +COST$/);
    expect(water).toMatch(/^water +2 +6\.00 +1\.00 +1\.00 +2\.00 +6\.21 +3\.50$/);
    expect(header.length).toBeLessThanOrEqual(80);
  });

  it.each([
    [['--price', '0.5'], /--price needs --by/],
    [['--by', 'month', '--price', 'free'], /Use a positive number/],
  ])('explains a mistake: %s', async (args, message) => {
    const { code, err } = await createReportRig().run('stats', ...args);
    expect(code).toBe(2);
    expect(err).toMatch(message);
  });
});
