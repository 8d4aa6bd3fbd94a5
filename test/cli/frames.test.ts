import { stripVTControlCharacters } from 'node:util';

import { describe, expect, it } from 'vitest';

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
});
