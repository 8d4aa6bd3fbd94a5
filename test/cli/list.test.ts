import { stripVTControlCharacters } from 'node:util';

import { beforeEach, describe, expect, it } from 'vitest';

import { sample } from '../record/samples.ts';
import { createRig, idOf, put, type Rig } from './rig.ts';

const created = (minutesAgo: number) => new Date(Date.UTC(2026, 10, 23, 12, -minutesAgo));

let rig: Rig;
beforeEach(() => {
  rig = createRig();
  put(rig, idOf('a'), sample('SUCCEEDED', { createdAt: created(1), jobKey: 'a' }));
  put(rig, idOf('b'), sample('FAILED', { createdAt: created(90), jobKey: 'b', labels: { team: 'land' } }));
  put(
    rig,
    idOf('c'),
    sample('RUNNING', { createdAt: created(3 * 24 * 60), jobKey: 'c', batchId: 'other@1' }),
  );
});

const idsIn = (text: string): string[] =>
  [...text.matchAll(/ve1-([a-z])\1{31}/g)].map(([, letter = '']) => letter);

describe('list', () => {
  it('lists the newest first, with the reasons of failures', async () => {
    const { code, out } = await rig.run('list');
    expect(code).toBe(0);
    expect(idsIn(out)).toEqual(['a', 'b', 'c']);
    expect(out).toMatch(/^STATE +AGE +RECORD +JOB +DETAIL\nSUCCEEDED +60s /);
    expect(out).toMatch(/^FAILED +90min .* b +Collection not found$/m);
    expect(out).toMatch(/^RUNNING 25% +3d /m);
  });

  it.each([
    ['--state', 'failed,running', ['b', 'c']],
    ['--batch', 'other@1', ['c']],
    ['--label', 'team=land', ['b']],
    ['--since', '2h', ['a', 'b']],
    ['--since', '2026-11-23T11:30:00Z', ['a']],
  ])('%s %s', async (option, value, expected) => {
    const { out } = await rig.run('list', option, value);
    expect(idsIn(out)).toEqual(expected);
  });

  it('lists the jobs that a batch shares among its own, newest first and page by page', async () => {
    put(rig, idOf('d'), sample('SUCCEEDED', { createdAt: created(2), batchId: 'first@1', jobKey: 'd' }));
    const also = { batchId: 'first@1', alsoBatches: ['other@1'] };
    put(rig, idOf('e'), sample('SUCCEEDED', { ...also, createdAt: created(3), jobKey: 'e' }));
    put(rig, idOf('f'), sample('SUCCEEDED', { ...also, createdAt: created(4 * 24 * 60), jobKey: 'f' }));
    const seen: string[] = [];
    let page: string[] = [];
    for (let next: string | undefined = ''; next !== undefined; page = ['--page', next ?? '']) {
      const { out } = await rig.run('list', '--batch', 'other@1', '--limit', '1', '--json', ...page);
      const read = JSON.parse(out) as { records: { id: string }[]; next?: string };
      seen.push(...idsIn(read.records.map(({ id }) => id).join(' ')));
      next = read.next;
    }
    expect(seen).toEqual(['e', 'c', 'f']);
  });

  it('applies every filter', async () => {
    const { out, err } = await rig.run('list', '--label', 'team=water', '--state', 'failed');
    expect({ out, err }).toEqual({ out: '', err: 'No records.\n' });
  });

  it('continues page by page', async () => {
    const seen: string[] = [];
    let page: string[] = [];
    for (;;) {
      const { out } = await rig.run('list', '--limit', '1', '--json', ...page);
      const { records, next } = JSON.parse(out) as { records: { id: string }[]; next?: string };
      seen.push(...idsIn(records.map(({ id }) => id).join(' ')));
      if (next === undefined) {
        break;
      }
      page = ['--page', next];
    }
    expect(seen).toEqual(['a', 'b', 'c']);
  });

  it('fits a terminal, and colors states only there', async () => {
    const onTerminal = createRig({ isInteractive: true, hasColor: true });
    put(onTerminal, idOf('a'), sample('FAILED', { jobKey: 'x'.repeat(150) }));
    const { out } = await onTerminal.run('list');
    expect(out).toContain('\u001B[31mFAILED\u001B[39m');
    const widths = stripVTControlCharacters(out)
      .split('\n')
      .map(({ length }) => length);
    expect(Math.max(...widths)).toBe(80);
    expect((await rig.run('list')).out).not.toContain('\u001B');
  });

  it('removes control characters of a job', async () => {
    put(
      rig,
      idOf('d'),
      sample('REJECTED', {
        jobKey: 'd',
        error: { code: 400, status: 'X', message: 'a\u001B[2Jb\nc', retryable: false },
      }),
    );
    const { out } = await rig.run('list', '--state', 'rejected');
    expect(out).toContain('a [2Jb c');
  });

  it('reports a record that it cannot read, and continues', async () => {
    rig.store.put(`videoExports/${idOf('e')}`, { state: 'RUNNING', createdAt: created(0) });
    const { out, err } = await rig.run('list');
    expect(idsIn(out)).toEqual(['a', 'b', 'c']);
    expect(err).toContain(`videoExports/${idOf('e')} cannot be read`);
  });
});

describe('show', () => {
  it('shows a record with its history and the reasons', async () => {
    put(
      rig,
      idOf('f'),
      sample('WAITING', {
        jobKey: 'f',
        waitingFor: 'PERMISSION',
        dueAt: created(-10),
        history: [
          { state: 'SUBMITTING', at: created(5) },
          { state: 'WAITING', at: created(4), note: 'HTTP 403: Permission denied' },
        ],
      }),
    );
    const { code, out } = await rig.run('show', idOf('f'));
    expect(code).toBe(0);
    expect(out).toMatch(/^WAITING {2}f\n {2}record +ve1-f{32}\n/);
    expect(out).toMatch(/waits +for a permission, 5 min so far/);
    expect(out).toMatch(/next try +2026-11-23 12:10:00 UTC, in 10 min/);
    expect(out).toMatch(/^ {2}2026-11-23 11:55:00 {2}SUBMITTING {2}60 s\n/m);
    expect(out).toMatch(/^ {2}2026-11-23 11:56:00 {2}WAITING +HTTP 403: Permission denied$/m);
  });

  it('finds the latest attempt of a job key', async () => {
    put(rig, `${idOf('b')}-2`, sample('SUCCEEDED', { jobKey: 'b', attempt: 2, retryOf: idOf('b') }));
    const { out } = await rig.run('show', 'b', '--json');
    expect(JSON.parse(out)).toMatchObject({ id: `${idOf('b')}-2`, attempt: 2 });
  });

  it.each([
    ['RUNNING', {}, '12.5 EECU-seconds so far'],
    ['FAILED', { eecuIsLowerBound: true }, 'at least 12.5 EECU-seconds'],
    ['SUCCEEDED', {}, '12.5 EECU-seconds'],
  ] as const)('shows the cost of a job in %s', async (state, fields, cost) => {
    put(rig, idOf('k'), sample(state, fields));
    expect((await rig.run('show', idOf('k'))).out).toMatch(new RegExp(`^ +EECU +${cost}$`, 'm'));
  });

  it('prints the request', async () => {
    await rig.store.records.create(idOf('g'), sample('PENDING'), Buffer.from('{"requestId":"x"}'));
    expect((await rig.run('show', idOf('g'), '--request')).out).toBe('{\n  "requestId": "x"\n}\n');
  });

  it('shows a rejected message by its id', async () => {
    rig.store.put('rejectedMessages/77', {
      reason: 'INVALID_JOB',
      issues: [{ path: 'request', message: 'is missing' }],
      source: 'submitExport',
      attributes: {},
      data: '{}',
      createdAt: created(0),
      expireAt: created(0),
    });
    const { out } = await rig.run('show', '77');
    expect(out).toMatch(/Rejected message 77: INVALID_JOB\n(?:.|\n)*issue +request: is missing/);
  });
});

describe('stats', () => {
  it('counts by state', async () => {
    expect((await rig.run('stats')).out).toBe(
      [
        'RUNNING           1',
        'SUCCEEDED         1',
        'FAILED            1',
        '',
        'Videos     1 VERIFIED',
        '',
        'EECU-time  25.0 EECU-seconds',
        'At least   12.5 EECU-seconds more (unfinished jobs, and ended without a final value)',
        '',
      ].join('\n'),
    );
  });

  /** Of what `beforeEach` stores, and of a failure without a final cost. */
  it.each([
    [[], { SUCCEEDED: 1, FAILED: 2, RUNNING: 1 }, 25, 19.5],
    [['--batch', 'other@1'], { FAILED: 1, RUNNING: 1 }, 0, 19.5],
    [['--since', '2h'], { SUCCEEDED: 1, FAILED: 2 }, 25, 7],
    [['--label', 'team=none'], {}, 0, 0],
  ])('sums final costs and lower bounds: %s', async (filter, counts, eecuSeconds, eecuSecondsAtLeast) => {
    const failed = { createdAt: created(2), batchId: 'other@1', eecuSeconds: 7, eecuIsLowerBound: true };
    put(rig, idOf('d'), sample('FAILED', failed));
    const { out } = await rig.run('stats', ...filter, '--json');
    expect(JSON.parse(out)).toMatchObject({ counts, eecuSeconds, eecuSecondsAtLeast, restricted: [] });
  });

  it.each([
    ['label:team', ['water', 'land']],
    ['batch', ['weekly@2026-11-23', 'other@1']],
    ['month', ['2026-11']],
  ])('sums EECU by %s', async (by, groups) => {
    const { out } = await rig.run('stats', '--by', by, '--json');
    const found = (
      JSON.parse(out) as { groups: { group: string; eecuSeconds: number; eecuSecondsAtLeast: number }[] }
    ).groups;
    expect(found.map(({ group }) => group)).toEqual(groups);
    expect(found.reduce((sum, { eecuSeconds }) => sum + eecuSeconds, 0)).toBe(25);
    expect(found.reduce((sum, { eecuSecondsAtLeast }) => sum + eecuSecondsAtLeast, 0)).toBe(12.5);
  });
});

describe('a project in restricted mode', () => {
  const notice =
    'Earth Engine runs fewer exports of demo-ee at once since 2026-11-23 11:30:00 UTC, because the project has used up its EECU quota of the month';

  beforeEach(() => {
    const status = { closures: 0, updatedAt: created(30) };
    rig.store.put('videoExportProjects/demo-ee', { ...status, parallelismRestrictedAt: created(30) });
    rig.store.put('videoExportProjects/open', status);
    // In an earlier month.
    rig.store.put('videoExportProjects/before', {
      ...status,
      parallelismRestrictedAt: created(30 * 24 * 60),
    });
  });

  it('is shown by stats', async () => {
    expect((await rig.run('stats')).out).toContain(`\nRestricted ${notice}.\n`);
    const { restricted } = JSON.parse((await rig.run('stats', '--json')).out) as { restricted: unknown };
    expect(restricted).toEqual([{ project: 'demo-ee', since: created(30).toISOString() }]);
  });

  it('is shown by watch, for jobs that Earth Engine has', async () => {
    const { out } = await rig.run('watch', idOf('a'), idOf('c'));
    expect(out).toMatch(/RUNNING .*\(restricted by Earth Engine\)$/m);
    expect(out).not.toMatch(/SUCCEEDED .*restricted/);
  });

  it.each([
    [[], 'restricted by Earth Engine: demo-ee)'],
    [['--json'], '"restricted":["demo-ee"]'],
  ])('is shown by watch, for all jobs %s', async (options, text) => {
    expect((await rig.run('watch', ...options)).out).toContain(text);
  });
});

describe('a job that was retried', () => {
  beforeEach(() => {
    rig = createRig();
    const job = { batchId: 'again@1', eecuSeconds: 10 };
    for (const letter of 'abc') {
      put(rig, idOf(letter), sample('CANCELLED', { ...job, jobKey: letter, createdAt: created(60) }));
      const retried = { ...job, jobKey: letter, attempt: 2, retryOf: idOf(letter), createdAt: created(0) };
      put(rig, `${idOf(letter)}-2`, sample('SUCCEEDED', retried));
    }
  });

  it.each([[[]], [['--batch', 'again@1']], [['--label', 'team=water']], [['--since', '2w']]])(
    'counts once in stats, by its latest attempt: %s',
    async (filter) => {
      const { out } = await rig.run('stats', ...filter, '--json');
      // Every attempt costs.
      expect(JSON.parse(out)).toMatchObject({
        counts: { SUCCEEDED: 3 },
        earlierAttempts: 3,
        eecuSeconds: 60,
      });
      const { err } = await rig.run('stats', ...filter);
      expect(err).toMatch(/^3 earlier attempts are not counted: /);
    },
  );

  it('counts once in each group', async () => {
    const { out } = await rig.run('stats', '--by', 'batch', '--json');
    expect(JSON.parse(out)).toMatchObject({
      groups: [{ group: 'again@1', counts: { SUCCEEDED: 3 }, eecuSeconds: 60 }],
    });
  });

  it('counts once while its batch is watched, which then ends with success', async () => {
    const { code, out } = await rig.run('watch', '--batch', 'again@1');
    expect({ code, out }).toMatchObject({ code: 0 });
    expect(out).toMatch(/again@1 {2}3 of 3 ended {2}SUCCEEDED 3\n$/);
  });

  it('is read again only when there is another attempt', async () => {
    put(
      rig,
      `${idOf('c')}-2`,
      sample('RUNNING', { batchId: 'again@1', jobKey: 'c', attempt: 2, retryOf: idOf('c') }),
    );
    let reads = 0;
    const getMany = rig.store.records.getMany.bind(rig.store.records);
    Object.assign(rig.store.records, {
      getMany: (ids: readonly string[]) => {
        reads += 1;
        return getMany(ids);
      },
    });
    let sleeps = 0;
    rig.whileAsleep = () => {
      sleeps += 1;
      if (sleeps === 5) {
        put(
          rig,
          `${idOf('c')}-2`,
          sample('SUCCEEDED', { batchId: 'again@1', jobKey: 'c', attempt: 2, retryOf: idOf('c') }),
        );
      }
    };
    expect((await rig.run('watch', '--batch', 'again@1')).code).toBe(0);
    expect(reads).toBe(1);
  });

  it('counts in a batch that shares it', async () => {
    put(rig, idOf('d'), sample('SUCCEEDED', { batchId: 'first@1', alsoBatches: ['again@1'], jobKey: 'd' }));
    const { out } = await rig.run('stats', '--batch', 'again@1', '--json');
    expect(JSON.parse(out)).toMatchObject({ counts: { SUCCEEDED: 4 } });
  });
});

describe('watch', () => {
  it('follows a batch as counts until it has ended, with its rate', async () => {
    for (const letter of 'hijk') {
      put(rig, idOf(letter), sample('RUNNING', { batchId: 'many@1' }));
    }
    put(rig, idOf('l'), sample('WAITING', { batchId: 'many@1', createdAt: created(60) }));
    const letters = ['h', 'i', 'j', 'k', 'l'];
    rig.whileAsleep = () => {
      const letter = letters.shift();
      if (letter) {
        put(rig, idOf(letter), sample('SUCCEEDED', { batchId: 'many@1' }));
      }
    };
    const { code, out } = await rig.run('watch', '--batch', 'many@1', '--every', '60');
    expect(code).toBe(0);
    expect(out.split('\n').slice(0, 2)).toEqual([
      '12:00:00  many@1  0 of 5 ended  WAITING 1  RUNNING 4  (oldest waiting 60 min)',
      '12:01:00  many@1  1 of 5 ended  WAITING 1  RUNNING 3  SUCCEEDED 1  (60 per hour, about 4 min to go, oldest waiting 61 min)',
    ]);
  });

  it('draws a batch on a terminal', async () => {
    const onTerminal = createRig({ isInteractive: true });
    put(onTerminal, idOf('a'), sample('SUCCEEDED', { batchId: 'many@1' }));
    put(onTerminal, idOf('b'), sample('FAILED', { batchId: 'many@1' }));
    const { code, out } = await onTerminal.run('watch', '--batch', 'many@1');
    expect(code).toBe(3);
    expect(out).toContain('████████████×××××××××××× 100%  2 of 2 ended');
  });

  it('prints how to continue watching a batch', async () => {
    const { code, err } = await rig.run('watch', '--batch', 'other@1');
    expect(code).toBe(130);
    expect(err).toContain('npx ee-video-exports watch --batch other@1');
  });

  it('watches everything that has not ended', async () => {
    rig.whileAsleep = () => put(rig, idOf('c'), sample('SUCCEEDED'));
    expect((await rig.run('watch')).code).toBe(0);
  });
});
