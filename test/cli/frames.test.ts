import { readFileSync } from 'node:fs';
import { stripVTControlCharacters } from 'node:util';

import { describe, expect, it } from 'vitest';

import { parseJobMessage } from '../../shared/message/job-message.ts';
import { sample } from '../record/samples.ts';
import { createRig, idOf, put, type Rig } from './rig.ts';

/** What a terminal of a certain width shows after everything was written: lines, with the cursor moved as a terminal does. */
function screenOf(output: string): string[] {
  const lines: string[] = [];
  let row = 0;
  for (const text of output.replace(/\n$/, '').split('\n')) {
    // A frame starts with the cursor moved up, and clears each of its lines.
    const up = text.startsWith('\u001B[') ? /^\d+(?=A)/.exec(text.slice(2))?.[0] : undefined;
    row = Math.max(0, row - Number(up ?? 0));
    lines[row] = stripVTControlCharacters(text);
    row += 1;
  }
  return lines.map((line) => line.trimEnd());
}

const widths = [50, 80, 120] as const;
const created = (minutesAgo: number) => new Date(Date.UTC(2026, 10, 23, 12, -minutesAgo));
const long = 'weekly-ndvi/2026-11-23/region-of-the-western-sahel-and-beyond';

function withJobs(columns: number): Rig {
  const rig = createRig({ isInteractive: true, columns });
  put(
    rig,
    idOf('a'),
    sample('RUNNING', { jobKey: 'weekly-ndvi/2026-11-23/alps', progress: 0.5, createdAt: created(1) }),
  );
  put(rig, idOf('b'), sample('FAILED', { jobKey: 'weekly-ndvi/2026-11-23/iberia', createdAt: created(2) }));
  put(rig, idOf('c'), sample('SUCCEEDED', { jobKey: long, outputUris: ['gs://b/o'], createdAt: created(3) }));
  return rig;
}

describe.each(widths)('on a terminal with %i columns', (columns) => {
  const expectToFit = (output: string) =>
    expect(Math.max(...screenOf(output).map(({ length }) => length))).toBeLessThanOrEqual(columns);

  it('list gives its room to job keys', async () => {
    const { out } = await withJobs(columns).run('list');
    expectToFit(out);
    expect(screenOf(out)).toMatchSnapshot();
    expect(out).toContain('weekly-ndvi/2026-11-23/alps');
    // The ends of a long key tell it apart.
    expect(out).toMatch(/weekly-ndvi.*and-beyond\b/);
    expect(/ve1-/.test(out)).toBe(columns >= 120);
  });

  it('watch never draws a full bar for a job that failed', async () => {
    const rig = withJobs(columns);
    rig.whileAsleep = () =>
      put(rig, idOf('a'), sample('FAILED', { jobKey: 'weekly-ndvi/2026-11-23/alps', progress: 1 }));
    const { out } = await rig.run('watch', idOf('a'), idOf('b'), idOf('c'));
    const screen = screenOf(out);
    expect(screen.slice(0, 3)).toMatchSnapshot();
    expect(Math.max(...screen.slice(0, 3).map(({ length }) => length))).toBeLessThanOrEqual(columns);
    for (const line of screen.filter((each) => each.startsWith('FAILED'))) {
      expect(line).not.toMatch(/█|%/);
    }
  });

  it('watch of a batch shows the part that failed', async () => {
    const rig = createRig({ isInteractive: true, columns });
    for (const letter of 'abcde') {
      put(
        rig,
        idOf(letter),
        sample(letter === 'e' ? 'FAILED' : 'SUCCEEDED', { batchId: 'weekly-ndvi@2026-11-23' }),
      );
    }
    const { code, out } = await rig.run('watch', 'weekly-ndvi@2026-11-23');
    expect(code).toBe(3);
    expectToFit(out);
    expect(screenOf(out)).toMatchSnapshot();
    expect(out).toContain('×');
  });

  it('redraws in place when the server goes away and comes back', async () => {
    const rig = withJobs(columns);
    const getMany = rig.store.records.getMany.bind(rig.store.records);
    let isAway = false;
    Object.assign(rig.store.records, {
      getMany: (ids: readonly string[]) =>
        isAway
          ? Promise.reject(
              Object.assign(new Error('14 UNAVAILABLE: No connection established'), { code: 14 }),
            )
          : getMany(ids),
    });
    const screens: string[][] = [];
    const looks = [
      () => {
        isAway = true;
      },
      () => {},
      () => {
        isAway = false;
        put(rig, idOf('a'), sample('RUNNING', { jobKey: 'weekly-ndvi/2026-11-23/alps', progress: 0.75 }));
      },
      () =>
        put(rig, idOf('a'), sample('SUCCEEDED', { jobKey: 'weekly-ndvi/2026-11-23/alps', outputUris: [] })),
    ];
    rig.whileAsleep = () => {
      looks.shift()?.();
      screens.push(screenOf(rig.written()));
    };
    const { code, err } = await rig.run('watch', idOf('a'));
    expect({ code, err }).toEqual({ code: 0, err: '' });
    expect(screens).toMatchSnapshot();
    // One line for the job and one for the notice, whatever happened in between.
    expect(screens.map(({ length }) => length)).toEqual([1, 2, 2, 2]);
    expect(screens[1]?.[1]).toMatch(/^Retrying: No response from Google Cloud/);
    expect(screens[3]?.[1]).toBe('');
    expectToFit(rig.written());
  });

  it('show wraps every field', async () => {
    const rig = withJobs(columns);
    const message =
      "Permission 'earthengine.exports.create' denied on resource 'projects/demo-ee' (or it may not exist).";
    put(
      rig,
      idOf('d'),
      sample('WAITING', {
        jobKey: 'd',
        waitingFor: 'PERMISSION',
        dueAt: created(-4),
        createdAt: created(9),
        error: { code: 403, status: 'PERMISSION_DENIED', message, retryable: true },
        history: [
          { state: 'SUBMITTING', at: created(9) },
          { state: 'WAITING', at: created(8), note: `PERMISSION: ${message}` },
        ],
      }),
    );
    const { out } = await rig.run('show', 'd');
    expect(screenOf(out)).toMatchSnapshot();
    expectToFit(out);
  });

  it('a question before a whole batch is canceled', async () => {
    const rig = createRig({ isInteractive: true, columns, answer: false });
    put(rig, idOf('a'), sample('RUNNING', { jobKey: 'a', batchId: 'weekly-ndvi@2026-11-23' }));
    expect((await rig.run('cancel', 'weekly-ndvi@2026-11-23')).err).toMatchSnapshot();
  });

  it('submit says what happened to each job', async () => {
    const [africa, vegas] = ['africa-ndvi', 'las-vegas-growth'].map(
      (name) => `infra/local/examples/${name}.json`,
    ) as [string, string];
    const ids = await createRig({ columns, isInteractive: true }).run('submit', vegas, '--quiet');
    const recordId = ids.out.trim();
    const job = parseJobMessage(JSON.parse(readFileSync(vegas, 'utf8')), {
      defaultProject: 'demo-ee',
      allowedProjects: ['*'],
      allowedDestinations: ['*'],
    });
    const { jobKey, contentHash } = 'job' in job ? job.job : {};
    const rig = createRig({ columns, isInteractive: true });
    put(rig, recordId, sample('FAILED', { jobKey, contentHash: contentHash ?? '' }));
    const there = await rig.run('submit', africa, vegas);
    expect(there.code).toBe(3);
    put(rig, recordId, sample('SUCCEEDED', { jobKey, contentHash: 'of another request' }));
    const refused = await rig.run('submit', vegas);
    expect(refused.code).toBe(2);
    expect([there.out, refused.err].map(screenOf)).toMatchSnapshot();
    // A command to copy stays whole.
    expectToFit(there.out.replace(/^.*: npx ee-video-exports .*$/m, ''));
    expect(there.out).toContain('examples/las-vegas/2000-2020');
  });

  it('watch and stats count each job of a batch once, by its latest attempt', async () => {
    const rig = createRig({ isInteractive: true, columns });
    const batchId = 'weekly-ndvi@2026-11-23';
    for (const letter of 'abc') {
      const jobKey = `weekly-ndvi/2026-11-23/${letter}`;
      put(rig, idOf(letter), sample('CANCELLED', { jobKey, batchId, createdAt: created(9) }));
      put(
        rig,
        `${idOf(letter)}-2`,
        sample('SUCCEEDED', {
          jobKey,
          batchId,
          attempt: 2,
          retryOf: idOf(letter),
          createdAt: created(5),
        }),
      );
    }
    const watched = await rig.run('watch', '--batch', batchId);
    expect(watched.code).toBe(0);
    const counted = await rig.run('stats', '--batch', batchId);
    expect([watched.out, counted.out].map(screenOf)).toMatchSnapshot();
    for (const { out } of [watched, counted]) {
      expect(out).toMatch(/SUCCEEDED +3/);
      expect(out).not.toContain('CANCELLED');
      expectToFit(out);
    }
  });

  it('batch list shows what each batch is called, and how far it is', async () => {
    const rig = withJobs(columns);
    const at = created(5);
    rig.store.put('videoExportBatches/weekly-ndvi@2026-11-23', {
      state: 'RUNNING',
      batchId: 'weekly-ndvi',
      run: '2026-11-23',
      manifestHash: 'h',
      messageId: '1',
      jobs: 3,
      published: 3,
      revision: 1,
      createdAt: at,
      updatedAt: at,
    });
    const { code, out } = await rig.run('batch', 'list');
    expect(code).toBe(0);
    expect(screenOf(out)).toMatchSnapshot();
    expectToFit(out);
    expect(out).toContain('weekly-ndvi@2026-11-23');
  });
});
