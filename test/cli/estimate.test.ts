import { readFileSync } from 'node:fs';

import { beforeEach, describe, expect, it } from 'vitest';

import { HOUR_MS, later } from '../../shared/clock.ts';
import { parseJobMessage } from '../../shared/message/job-message.ts';
import { hold } from '../budget/rig.ts';
import { createHistory, type Kind } from '../estimate/histories.ts';
import { sample } from '../record/samples.ts';
import { createRig, idOf, put, type Rig } from './rig.ts';

const example = 'infra/local/examples/las-vegas-growth.json';
const manifest = 'infra/local/examples/annual-timelapses-manifest.json';
const rules = {
  defaultProject: 'demo-ee',
  allowedProjects: ['*'],
  allowedDestinations: ['*'],
  graphCheck: 'reject',
} as const;

const shapeOf = (file: string): string => {
  const reading = parseJobMessage(JSON.parse(readFileSync(file, 'utf8')), rules);
  return 'job' in reading ? (reading.job.shapeHash ?? '') : '';
};

/** Jobs of the shape that ended, one an hour; each rendered for two hours. */
function store(rig: Rig, shapeHash: string, kind: Kind, length = 214): void {
  for (const [index, { eecuSeconds }] of createHistory(kind, 2, length).entries()) {
    const finishedAt = later(rig.clock.now(), (index - length) * HOUR_MS);
    const startedAt = later(finishedAt, -2 * HOUR_MS);
    const job = sample('SUCCEEDED', { project: 'demo-ee', eecuSeconds, shapeHash, startedAt, finishedAt });
    rig.store.put(`videoExports/past-${index}`, { ...job, extent: { frames: 21 } });
  }
}

let rig: Rig;

beforeEach(() => {
  rig = createRig();
});

describe('the estimate of submit --dry-run', () => {
  const lastLines = async (): Promise<string> => {
    const { out } = await rig.run('submit', '--dry-run', example);
    return out.slice(out.lastIndexOf('}') + 2);
  };

  it('is a range, from jobs of the same shape', async () => {
    store(rig, shapeOf(example), 'stable');
    store(createRig(), 'another', 'stable');
    expect(await lastLines()).toMatch(
      /^cost {2}3\d EECU-hours \(80%: 2\d–5\d\), from 214 similar jobs; renders for about 2 h\n$/,
    );
    const { out } = await rig.run('submit', '--dry-run', '--json', example);
    expect(JSON.parse(out)).toMatchObject({
      estimate: { jobs: 1, similarJobs: 214, coverage: 0.8, seconds: 7200 },
    });
  });

  it('says that nothing similar has run', async () => {
    store(rig, 'another', 'stable');
    expect(await lastLines()).toBe('cost  unknown: nothing similar has run. Run one such job first\n');
  });

  it.each([
    [
      'drifting',
      /^cost {2}unstable: the costs of such jobs rise; the last ones had about \d\d EECU-hours each$/m,
    ],
    [
      'two modes',
      /^cost {2}unstable: there are two kinds of such jobs, of about \d+ EECU-hours and \d+ EECU-hours$/m,
    ],
    ['heavy-tailed', /^cost {2}unstable: a few such jobs cost far more .* made up \d\d% of the total$/m],
  ] as const)('says that a history is %s', async (kind, text) => {
    store(rig, shapeOf(example), kind);
    expect(await lastLines()).toMatch(text);
  });

  it('reads similar jobs once for many files', async () => {
    const { store: memory } = rig;
    store(rig, shapeOf(example), 'stable', 20);
    let read = 0;
    rig = createRig({
      connect: () => ({
        store: async () => ({
          ...memory,
          records: {
            ...memory.records,
            find: async (query, page) => {
              const found = await memory.records.find(query, page);
              read += found.length;
              return found;
            },
          },
        }),
      }),
    });
    const { out } = await rig.run('submit', '--dry-run', example, example, example);
    expect(out.match(/from 20 similar jobs/g)).toHaveLength(3);
    expect(read).toBe(20);
  });

  it('neither counts failures, nor costs that are not final', async () => {
    const shapeHash = shapeOf(example);
    put(rig, idOf('a'), sample('FAILED', { shapeHash, eecuSeconds: 1 }));
    put(rig, idOf('b'), sample('SUCCEEDED', { shapeHash, eecuSeconds: 2, eecuIsLowerBound: true }));
    put(rig, idOf('c'), sample('RUNNING', { shapeHash, eecuSeconds: 3 }));
    expect(await lastLines()).toMatch(/^cost {2}unknown/);
  });

  it('is left out, and nothing else, if similar jobs cannot be read', async () => {
    const { store: memory } = rig;
    const find = async () => Promise.reject(new Error('the index is missing'));
    rig = createRig({
      connect: () => ({ store: async () => ({ ...memory, records: { ...memory.records, find } }) }),
    });
    expect(await lastLines()).toBe('cost  unknown: similar jobs cannot be read: the index is missing\n');
  });
});

describe('the estimate of batch plan', () => {
  it('is the total of the jobs that would be started', async () => {
    const { out: before } = await rig.run('batch', 'plan', manifest, '--json');
    const { counts, estimates } = JSON.parse(before) as {
      counts: { new: number };
      estimates: { shapeHash: string; jobs: number }[];
    };
    expect(estimates).toEqual([
      { jobs: counts.new, similarJobs: 0, shapeHash: expect.any(String) as string },
    ]);
    store(rig, estimates[0]?.shapeHash ?? '', 'stable');
    const { out } = await rig.run('batch', 'plan', manifest);
    expect(out).toMatch(
      /^ {2}cost {2}\d+ EECU-hours \(80%: \d+–\d+\), from 214 similar jobs; about \d+ h at the current pace$/m,
    );
  });
});

describe('batch plan with budgets', () => {
  const planned = async (budgetHours: number, match: object) => {
    const { out: before } = await rig.run('batch', 'plan', manifest, '--json');
    const { estimates } = JSON.parse(before) as { estimates: { shapeHash: string }[] };
    store(rig, estimates[0]?.shapeHash ?? '', 'stable', 20);
    rig.store.put('exportBudgets/mine', { ...hold(budgetHours, { match }) });
    await rig.run('budget', 'list');
    return (await rig.run('batch', 'plan', manifest)).out;
  };

  it('warns if what is left of a budget may not be enough', async () => {
    expect(await planned(100, { batchIdPrefix: 'annual' })).toMatch(
      /^ {2}budget {2}mine has 100\.00 EECU-hours left, which may not be enough$/m,
    );
    const { out } = await rig.run('batch', 'plan', manifest, '--json');
    expect(JSON.parse(out)).toMatchObject({ exceeds: [{ budgetId: 'mine', leftEecuHours: 100 }] });
  });

  it('says that a budget would hold the jobs, not that they would be started', async () => {
    const { out: before } = await rig.run('batch', 'plan', manifest, '--json');
    const { estimates, counts } = JSON.parse(before) as {
      estimates: { shapeHash: string }[];
      counts: { new: number };
    };
    store(rig, estimates[0]?.shapeHash ?? '', 'stable', 20);
    rig.store.put('exportBudgets/mine', { ...hold(0) });
    await rig.run('budget', 'list');
    const { out } = await rig.run('batch', 'plan', manifest);
    expect(out).toMatch(new RegExp(`^ +${counts.new} {2}would wait: budget mine holds them +first: `, 'm'));
    expect(out).not.toMatch(/would be started|may not be enough/);
    const { out: json } = await rig.run('batch', 'plan', manifest, '--json');
    expect(JSON.parse(json)).toMatchObject({ heldBy: ['mine'] });
  });

  it.each([
    ['it is enough', 1e6, { batchIdPrefix: 'annual' }],
    ['the budget is for other jobs', 1, { batchIdPrefix: 'other' }],
  ])('says nothing if %s', async (_, hours, match) => {
    expect(await planned(hours, match)).not.toContain('budget');
  });
});

describe('the estimate of show', () => {
  it('is shown of a job that waits, and of no other', async () => {
    store(rig, 'shape', 'stable', 5);
    put(rig, idOf('a'), sample('WAITING', { shapeHash: 'shape' }));
    put(rig, idOf('b'), sample('RUNNING', { shapeHash: 'shape' }));
    expect((await rig.run('show', idOf('a'))).out).toMatch(
      /^ {2}will cost {3}\d+ EECU-hours \(\d+–\d+ so far, too few for an 80% range\), from 5 similar jobs/m,
    );
    expect((await rig.run('show', idOf('b'))).out).not.toContain('will cost');
    expect(JSON.parse((await rig.run('show', idOf('a'), '--json')).out)).toMatchObject({
      estimate: { similarJobs: 5 },
    });
    expect(JSON.parse((await rig.run('show', idOf('b'), '--json')).out)).not.toHaveProperty('estimate');
  });
});
