import { beforeEach, describe, expect, it } from 'vitest';

import { sample } from '../record/samples.ts';
import { createRig, idOf, put, type Rig } from './rig.ts';

let rig: Rig;
beforeEach(() => {
  rig = createRig();
  const created = new Date('2026-11-23T11:00:00Z');
  rig.store.put('videoExportBatches/weekly-ndvi@2026-11-23', {
    state: 'RUNNING',
    batchId: 'weekly-ndvi',
    run: '2026-11-23',
    manifestHash: 'h',
    messageId: '7',
    jobs: 3,
    published: 3,
    revision: 1,
    createdAt: created,
    updatedAt: created,
  });
  const batchId = 'weekly-ndvi@2026-11-23';
  put(rig, idOf('a'), sample('SUCCEEDED', { jobKey: 'ndvi/sahel', batchId }));
  put(rig, idOf('b'), sample('FAILED', { jobKey: 'ndvi/alps', batchId }));
  put(rig, `${idOf('b')}-2`, sample('SUCCEEDED', { jobKey: 'ndvi/alps', batchId, attempt: 2 }));
});

describe('ids, keys, and batches', () => {
  it.each([
    [idOf('a'), /^SUCCEEDED {2}ndvi\/sahel\n/],
    ['ndvi/alps', /^SUCCEEDED {2}ndvi\/alps \(attempt 2\)\n(?:.|\n)*attempt 1 +FAILED/],
    [idOf('b'), /^FAILED {2}ndvi\/alps\n(?:.|\n)*attempt 2 +SUCCEEDED/],
    [
      'weekly-ndvi@2026-11-23',
      /^weekly-ndvi@2026-11-23 {2}RUNNING\n {2}jobs +SUCCEEDED 2\n {2}expected +1\n/,
    ],
  ])('show %s', async (id, output) => {
    const { code, out } = await rig.run('show', id);
    expect(code).toBe(0);
    expect(out).toMatch(output);
  });

  it.each([[[idOf('a')]], [['ndvi/sahel']], [['ndvi/sahel', `${idOf('b')}-2`]]])('watch %s', async (ids) => {
    expect((await rig.run('watch', ...ids)).code).toBe(0);
  });

  it('watch a batch', async () => {
    rig.whileAsleep = () =>
      put(rig, idOf('c'), sample('SUCCEEDED', { jobKey: 'c', batchId: 'weekly-ndvi@2026-11-23' }));
    const { code, out } = await rig.run('watch', 'weekly-ndvi@2026-11-23');
    expect(code).toBe(0);
    expect(out).toContain('3 of 3 ended  SUCCEEDED 3');
    const { code: both, err } = await rig.run('watch', 'weekly-ndvi@2026-11-23', 'ndvi/sahel');
    expect({ both, err }).toMatchObject({ both: 2, err: expect.stringContaining('alone') as string });
  });
});

describe('a name that is not found', () => {
  it.each([
    ['show', 'weekly-ndvi', /Runs of weekly-ndvi: weekly-ndvi@2026-11-23\./],
    ['watch', 'weekly-ndvi@2026-11-24', /Did you mean weekly-ndvi@2026-11-23\?/],
    ['retry', 'ndvi/alp', /Did you mean ndvi\/alps\?/],
    ['cancel', 'ndvi/sahell', /Did you mean ndvi\/sahel\?.*--ahead/],
    ['show', 'zzz', /Nothing found for zzz: [^?]*$/],
  ])('%s %s', async (command, name, message) => {
    const { code, err } = await rig.run(command, name);
    expect(code).toBe(1);
    expect(err).toMatch(message);
  });

  it.each([['watch'], ['cancel'], ['retry']])('%s --batch of a manifest names its runs', async (command) => {
    const { code, err } = await rig.run(command, '--batch', 'weekly-ndvi');
    expect(code).toBe(1);
    expect(err).toContain('Runs of weekly-ndvi: weekly-ndvi@2026-11-23.');
  });
});

describe('batches', () => {
  it('are listed', async () => {
    const { out } = await rig.run('batch', 'list');
    expect(out).toBe('STATE    AGE    JOBS  BATCH\nRUNNING  60min     3  weekly-ndvi@2026-11-23\n');
    expect((await rig.run('batch', 'list', '-q')).out).toBe('weekly-ndvi@2026-11-23\n');
    expect((await createRig().run('batch', 'list')).err).toBe('No batches.\n');
  });

  it('are shown as JSON with the latest attempts', async () => {
    const { out } = await rig.run('batch', 'show', 'weekly-ndvi@2026-11-23', '--json');
    expect(JSON.parse(out)).toMatchObject({ state: 'RUNNING', jobs: 3, counts: { SUCCEEDED: 2 } });
  });
});

describe('--format csv', () => {
  it('writes a list for a spreadsheet, without formulas', async () => {
    put(
      rig,
      idOf('d'),
      sample('FAILED', { jobKey: '=HYPERLINK("x")', createdAt: new Date('2026-11-23T12:00:01Z') }),
    );
    const { out } = await rig.run('list', '--format', 'csv', '--limit', '1');
    const [header, row] = out.split('\n');
    expect(header).toBe(
      'id,jobKey,attempt,batchId,state,progress,waitingFor,project,destination,eecuSeconds,createdAt,finishedAt,outputUris,error',
    );
    expect(row).toContain(`${idOf('d')},"'=HYPERLINK(""x"")",1,`);
  });

  it('writes counts', async () => {
    expect((await rig.run('stats', '--format', 'csv')).out).toBe('state,jobs\nSUCCEEDED,2\n');
  });
});

describe('--quiet', () => {
  it('prints ids alone', async () => {
    expect(
      (await rig.run('list', '--quiet')).out
        .split('\n')
        .slice(0, 3)
        .toSorted((a, b) => a.localeCompare(b)),
    ).toEqual([idOf('a'), idOf('b'), `${idOf('b')}-2`]);
    expect(await rig.run('watch', 'ndvi/sahel', '-q')).toEqual({ code: 0, out: '', err: '' });
    const { out, err } = await createRig().run('submit', 'infra/local/examples/las-vegas-growth.json', '-q');
    expect(out).toMatch(/^ve1-\w{32}\n$/);
    expect(err).toBe('');
  });
});

describe('open', () => {
  it.each([
    [['ndvi/sahel'], 'https://storage.cloud.google.com/bucket/prefix.mp4'],
    [['ndvi/sahel', '--in', 'bucket'], 'https://console.cloud.google.com/storage/browser/bucket/'],
    [['ndvi/sahel', '--in', 'task'], 'https://code.earthengine.google.com/tasks?project=demo-ee&task=OP1'],
    [
      ['ndvi/sahel', '--in', 'record'],
      `https://console.cloud.google.com/firestore/databases/-default-/data/panel/videoExports/${idOf('a')}?project=demo-ee`,
    ],
  ])('%s', async (args, url) => {
    expect(await rig.run('open', ...args)).toEqual({ code: 0, out: `${url}\n`, err: '' });
  });
});

describe('resume', () => {
  const dueAt = new Date('2026-11-23T13:00:00Z');
  beforeEach(() => {
    put(rig, idOf('w'), sample('WAITING', { jobKey: 'w', waitingFor: 'PERMISSION', dueAt }));
    put(rig, idOf('x'), sample('WAITING', { jobKey: 'x', waitingFor: 'QUOTA', dueAt }));
    rig.store.put('videoExportProjects/demo-ee', {
      closedUntil: dueAt,
      closures: 1,
      closedFor: 'QUOTA',
      updatedAt: dueAt,
    });
  });
  const now = () => rig.clock.now();

  it.each([
    [[], 'The next poll tries 1 job and the queue of demo-ee.\n', true, true],
    [['demo-ee'], 'The next poll tries 1 job and the queue of demo-ee.\n', true, true],
    [['w'], 'The next poll tries 1 job.\n', true, false],
    [['x'], 'The next poll tries 0 jobs and the queue of demo-ee.\n', false, true],
  ])('%s', async (ids, output, isDue, isOpen) => {
    expect(await rig.run('resume', ...ids)).toEqual({ code: 0, out: output, err: '' });
    expect(rig.store.peek(`videoExports/${idOf('w')}`)).toMatchObject({ dueAt: isDue ? now() : dueAt });
    expect(rig.store.peek('videoExportProjects/demo-ee')).toMatchObject({
      closedUntil: isOpen ? now() : dueAt,
    });
  });

  it('says why there is nothing to do', async () => {
    const idle = createRig();
    const { out } = await idle.run('resume');
    expect(out).toBe('No job waits: the service has already sent every job.\n');
    put(idle, idOf('q'), sample('WAITING', { waitingFor: 'QUEUE' }));
    expect((await idle.run('resume')).out).toMatch(/^1 job waits, but not for a later time: /);
  });

  it('changes nothing twice', async () => {
    await rig.run('resume');
    expect((await rig.run('resume', 'w')).code).toBe(0);
    const { code, err } = await rig.run('resume', 'ndvi/sahel');
    expect({ code, err }).toMatchObject({ code: 2, err: expect.stringContaining('does not wait') as string });
  });
});
