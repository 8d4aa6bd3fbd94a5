import { readFileSync } from 'node:fs';

import { describe, expect, it } from 'vitest';

import { sample } from '../record/samples.ts';
import { createRig, idOf, put, settings } from './rig.ts';

const manifest = 'docs/guides/weekly-batch.json';

describe('batch', () => {
  it('plan shows what running would do, and publishes nothing', async () => {
    const rig = createRig();
    const { code, out } = await rig.run('batch', 'plan', manifest);
    expect(code).toBe(0);
    expect(out.split('\n')).toEqual([
      'weekly-ndvi@2026-11-23: 3 jobs',
      '        3  would be started  first: weekly-ndvi/2026-11-23/sahel',
      '  cost  unknown: nothing similar has run. Run one such job first',
      '',
    ]);
    expect(rig.publisher.published).toEqual([]);
  });

  it('run publishes the manifest with the name of its run', async () => {
    const rig = createRig();
    const { code, out, err } = await rig.run('batch', 'run', manifest, '--run', '2026-11-16');
    expect({ code, out }).toEqual({ code: 0, out: 'weekly-ndvi@2026-11-16  3 jobs\n' });
    expect(err).toContain('watch weekly-ndvi@2026-11-16');
    const [{ topic, message } = { topic: '', message: { data: new Uint8Array() } }] = rig.publisher.published;
    expect(topic).toBe('video-export-batches');
    expect(JSON.parse(new TextDecoder().decode(message.data))).toEqual({
      ...(JSON.parse(readFileSync(manifest, 'utf8')) as object),
      run: '2026-11-16',
    });
  });

  it('run --watch waits for the batch, and reports that the service rejected it', async () => {
    const rig = createRig();
    const at = rig.clock.now();
    rig.whileAsleep = () =>
      rig.store.put('rejectedMessages/1', {
        reason: 'CONFLICT',
        issues: [{ path: 'run', message: 'was made from another manifest' }],
        source: 'expandBatch',
        attributes: {},
        data: '',
        createdAt: at,
        expireAt: at,
      });
    const { code, out, err } = await rig.run('batch', 'run', manifest, '--watch');
    expect(out).toContain('weekly-ndvi@2026-11-23  0 of 3 ended');
    expect({ code, err }).toEqual({
      code: 1,
      err: 'ee-video-exports: The service rejected the manifest: run: was made from another manifest. For all its mistakes, run npx ee-video-exports show 1.\nService: project demo-ee, database (default)\n',
    });
  });

  it('lists the mistakes of a manifest with their combinations, and publishes nothing', async () => {
    const json = JSON.parse(readFileSync(manifest, 'utf8')) as { job: object };
    const rig = createRig({
      stdin: JSON.stringify({ ...json, job: { ...json.job, project: '${region.id}' } }),
    });
    rig.store.put('videoExportSettings/service', settings);
    const { code, err } = await rig.run('batch', 'run', '-');
    expect(code).toBe(2);
    expect(err).toMatch(/^-: INVALID_MANIFEST\n {2}job\.project: found "sahel"; allowed: .*combination 0/);
    expect(err).toContain('ALLOWED_… are settings of the service');
    expect(rig.publisher.published).toEqual([]);
  });

  it.each([
    [['batch', 'plan', '-', '--run', 'b'], '{"run":"a"}', /already names its run \(a\)\. Omit --run/],
    [['batch', 'run', '-'], '{', /INVALID_DATA/],
  ])('%s of %s', async (args, stdin, message) => {
    const { code, err } = await createRig({ stdin }).run(...args);
    expect(code).toBe(2);
    expect(err).toMatch(message);
  });
});

describe('cancel', () => {
  const rigWithJobs = () => {
    const rig = createRig();
    put(rig, idOf('a'), sample('RUNNING', { jobKey: 'a', batchId: 'weekly@1' }));
    return rig;
  };

  it.each([
    [[idOf('a')], { recordId: idOf('a') }],
    [['a'], { jobKey: 'a' }],
    [['--job-key', 'a'], { jobKey: 'a' }],
    [['weekly@1'], { batchId: 'weekly@1' }],
    [['--batch', 'weekly@1'], { batchId: 'weekly@1' }],
    [['--job-key', 'to come', '--ahead'], { jobKey: 'to come' }],
  ])('%s', async (args, cancellation) => {
    const rig = rigWithJobs();
    expect((await rig.run('cancel', ...args)).code).toBe(0);
    expect(
      rig.publisher.published.map(({ topic, message }) => [
        topic,
        JSON.parse(new TextDecoder().decode(message.data)),
      ]),
    ).toEqual([['video-export-cancellations', cancellation]]);
  });

  it.each([[['--job-key', 'A']], [['--batch', 'weekly@2']], [[idOf('b')]]])(
    '%s does not exist, and is not canceled ahead by mistake',
    async (args) => {
      const rig = rigWithJobs();
      const { code, err } = await rig.run('cancel', ...args);
      expect(code).toBe(1);
      expect(err).toMatch(/Nothing found for .*--ahead/);
      expect(rig.publisher.published).toEqual([]);
    },
  );
});

describe('cancel of a job that has ended', () => {
  it('reports that, and publishes only the rest', async () => {
    const rig = createRig();
    put(rig, idOf('a'), sample('SUCCEEDED'));
    put(rig, idOf('b'), sample('RUNNING', { jobKey: 'b' }));
    const ended = await rig.run('cancel', idOf('a'));
    expect(ended).toEqual({
      code: 0,
      out: '',
      err: `${idOf('a')} has already ended (SUCCEEDED).\n`,
    });
    expect(rig.publisher.published).toEqual([]);
    const both = await rig.run('cancel', idOf('a'), idOf('b'));
    expect(both.out).toBe(`canceling b  ${idOf('b')}  (RUNNING)\n`);
    expect(rig.publisher.published).toHaveLength(1);
  });
});

describe('cancel of a batch', () => {
  const rigWithBatch = (answer?: boolean) => {
    const rig = createRig(answer === undefined ? {} : { answer });
    put(rig, idOf('a'), sample('RUNNING', { jobKey: 'a', batchId: 'weekly@1' }));
    put(rig, idOf('b'), sample('WAITING', { jobKey: 'b', batchId: 'weekly@1' }));
    put(rig, idOf('c'), sample('SUCCEEDED', { jobKey: 'c', batchId: 'weekly@1' }));
    return rig;
  };

  it.each([
    [true, 0, 1],
    [false, 1, 0],
  ])('asks a user who can answer: %s', async (answer, expected, published) => {
    const rig = rigWithBatch(answer);
    const { code, err } = await rig.run('cancel', 'weekly@1');
    expect(code).toBe(expected);
    expect(err).toMatch(/^Cancel batch weekly@1 \(WAITING 1 {2}RUNNING 1\)\?\n/);
    expect(rig.publisher.published).toHaveLength(published);
  });

  it.each([[['--yes']], [['--dry-run']]])('does not ask with %s', async (options) => {
    const { code, err } = await rigWithBatch(false).run('cancel', 'weekly@1', ...options);
    expect(code).toBe(0);
    expect(err).not.toContain('?');
  });

  it('asks nothing of a script, nor about a single job', async () => {
    expect((await rigWithBatch().run('cancel', 'weekly@1')).code).toBe(0);
    expect((await rigWithBatch(false).run('cancel', 'a')).code).toBe(0);
  });

  it.each([
    ['RUNNING', true],
    ['WAITING', false],
    ['SUCCEEDED', false],
  ] as const)('says that jobs may still succeed only if Earth Engine has some: %s', async (state, isSaid) => {
    const rig = createRig();
    put(rig, idOf('a'), sample(state, { batchId: 'weekly@1' }));
    const { err } = await rig.run('cancel', 'weekly@1', '--yes');
    expect(err.includes('may still succeed')).toBe(isSaid);
  });

  it('--dry-run prints what would be canceled, and publishes nothing', async () => {
    const rig = rigWithBatch();
    const { out } = await rig.run('cancel', 'weekly@1', 'a', '--dry-run');
    expect(out).toBe(
      `would cancel batch weekly@1 (WAITING 1  RUNNING 1)\nwould cancel a  ${idOf('a')}  (RUNNING)\n`,
    );
    expect(rig.publisher.published).toEqual([]);
  });
});

describe('retry', () => {
  const request = Buffer.from(
    JSON.stringify({ requestId: idOf('a'), description: idOf('a'), expression: {} }),
  );
  const error = { code: 13, status: 'INTERNAL', message: 'An internal error', retryable: true };
  const rigWithFailure = async () => {
    const rig = createRig();
    const failed = sample('FAILED', { jobKey: 'a', batchId: 'weekly@1', error });
    await rig.store.records.create(idOf('a'), failed, request);
    put(rig, idOf('b'), sample('SUCCEEDED', { jobKey: 'b', batchId: 'weekly@1' }));
    put(rig, idOf('c'), sample('FAILED', { jobKey: 'c', batchId: 'weekly@1' }));
    return rig;
  };

  it('--dry-run lists the jobs, and why others are skipped', async () => {
    const rig = await rigWithFailure();
    const { code, out } = await rig.run('retry', '--batch', 'weekly@1', '--dry-run');
    expect(code).toBe(0);
    expect(out).toBe(
      `1 job would be retried.\n  a  ${idOf('a')}-2\n1 would most likely fail the same way (--force retries them anyway)\n`,
    );
    expect(await rig.store.records.get(`${idOf('a')}-2`)).toBeUndefined();
  });

  it.each([[['--batch', 'weekly@1']], [['weekly@1']], [['a']], [[idOf('a')]]])(
    '%s makes the next attempt',
    async (args) => {
      const rig = await rigWithFailure();
      const { code, out } = await rig.run('retry', ...args, '--json');
      expect(code).toBe(0);
      expect(JSON.parse(out)).toMatchObject({
        started: 1,
        attempts: [{ recordId: `${idOf('a')}-2`, retryOf: idOf('a') }],
      });
      expect(await rig.store.records.get(`${idOf('a')}-2`)).toMatchObject({
        value: { state: 'WAITING', attempt: 2 },
      });
    },
  );

  it('--watch follows the new attempts', async () => {
    const rig = await rigWithFailure();
    rig.whileAsleep = () =>
      put(
        rig,
        `${idOf('a')}-2`,
        sample('SUCCEEDED', { jobKey: 'a', batchId: 'weekly@1', attempt: 2, retryOf: idOf('a') }),
      );
    const { code, out } = await rig.run('retry', 'a', '--watch');
    expect(code).toBe(0);
    expect(out).toMatch(/^1 job retried\.\n {2}a {2}ve1-a{32}-2\n(?:.|\n)*SUCCEEDED .* a \(attempt 2\)/);
  });

  it('reports unknown names', async () => {
    const { code, out, err } = await (await rigWithFailure()).run('retry', 'zzz');
    expect(code).toBe(1);
    expect(out).toBe('');
    expect(err).toMatch(/Nothing found for zzz: no record, job key, or batch\./);
  });
});

describe('dead-letters list', () => {
  it('lists messages of all reasons, newest first', async () => {
    const rig = createRig();
    const reject = (id: string, reason: string, minute: number) =>
      rig.store.put(`rejectedMessages/${id}`, {
        reason,
        issues: [{ path: 'request', message: 'is missing' }],
        source: 'submitExport',
        attributes: {},
        data: '',
        createdAt: new Date(Date.UTC(2026, 10, 23, 11, minute)),
        expireAt: rig.clock.now(),
      });
    reject('1', 'INVALID_JOB', 10);
    reject('2', 'DEAD_LETTER', 50);
    const all = await rig.run('dead-letters', 'list');
    expect(all.out).toBe(
      'REASON       AGE    MESSAGE  WHY\nDEAD_LETTER  10min  2        request: is missing\nINVALID_JOB  50min  1        request: is missing\n',
    );
    const one = await rig.run('dead-letters', 'list', '--reason', 'DEAD_LETTER', '--json');
    expect(JSON.parse(one.out)).toMatchObject({ messages: [{ id: '2' }] });
  });
});

describe('dead-letters replay', () => {
  const rigWithDeadLetters = (count: number) => {
    const messages = Array.from({ length: count }, (_, n) => ({
      messageId: `m-${n}`,
      publishTime: undefined,
      attributes: { CloudPubSubDeadLetterSourceSubscription: 'video-export-jobs-push' },
      data: Buffer.from('{}'),
      acknowledge: async () => {},
      release: async () => {},
    }));
    return createRig({
      connect: () => ({ keptMessages: async () => ({ pull: async (limit) => messages.splice(0, limit) }) }),
    });
  };

  it('shows progress, and how many messages are rejected again', async () => {
    const rig = rigWithDeadLetters(250);
    // The publisher's ids are numbers, and the messages with these ids are rejected.
    for (const id of ['1', '7']) {
      rig.store.put(`rejectedMessages/${id}`, {
        reason: 'INVALID_JOB',
        issues: [],
        source: 'submitExport',
        attributes: {},
        data: '',
        createdAt: rig.clock.now(),
        expireAt: rig.clock.now(),
      });
    }
    const { code, out, err } = await rig.run('dead-letters', 'replay');
    expect(code).toBe(0);
    expect(out.split('\n')[0]).toBe('m-0  published again  video-export-jobs');
    expect(err).toBe(
      '100 messages so far\n200 messages so far\n250 messages; 2 rejected again so far, and kept again.\n',
    );
  });

  it('prints what it did when it is interrupted', async () => {
    const rig = rigWithDeadLetters(20);
    const publish = rig.publisher.publish.bind(rig.publisher);
    rig.publisher.publish = (topic, messages, timeoutMs) => {
      if (rig.publisher.published.length === 4) {
        rig.interrupt();
      }
      return publish(topic, messages, timeoutMs);
    };
    const { code, out, err } = await rig.run('dead-letters', 'replay');
    expect(code).toBe(130);
    expect(out.trim().split('\n')).toHaveLength(5);
    expect(err).toBe('Interrupted: 5 messages.\n');
  });
});
