import { readFileSync } from 'node:fs';
import { stripVTControlCharacters } from 'node:util';

import { describe, expect, it } from 'vitest';

import { parseJobMessage } from '../../shared/message/job-message.ts';
import { sample } from '../record/samples.ts';
import { createRig, put, type Rig, type RigOptions } from './rig.ts';

const example = 'infra/local/examples/las-vegas-growth.json';
const text = readFileSync(example, 'utf8');
const reading = parseJobMessage(JSON.parse(text), {
  defaultProject: 'demo-ee',
  allowedProjects: ['*'],
  allowedDestinations: ['*'],
});
if ('issues' in reading) {
  throw new Error('the example is not a job');
}
const { recordId, contentHash } = reading.job;
const { bytes } = reading;
const jobKey = 'examples/las-vegas/2000-2020';

describe('submit', () => {
  it('publishes the bytes of the file, and prints the record id', async () => {
    const rig = createRig();
    expect(await rig.run('submit', example)).toEqual({
      code: 0,
      out: `published      ${jobKey}  ${recordId}\n`,
      err: '',
    });
    expect(rig.publisher.published).toEqual([
      { topic: 'video-export-jobs', message: { data: readFileSync(example), attributes: {} } },
    ]);
  });

  it('reads standard input', async () => {
    const { code, out } = await createRig({ stdin: text }).run('submit', '-');
    expect({ code, out }).toEqual({ code: 0, out: `published      ${jobKey}  ${recordId}\n` });
  });

  it('publishes nothing if one of the messages has a mistake, and lists all of them as rejectedMessages would', async () => {
    const rig = createRig();
    const { code, out, err } = await rig.run('submit', example, 'docs/guides/broken-job.json');
    expect({ code, out, published: rig.publisher.published }).toEqual({ code: 2, out: '', published: [] });
    const broken = parseJobMessage(JSON.parse(readFileSync('docs/guides/broken-job.json', 'utf8')), {
      defaultProject: 'demo-ee',
      allowedProjects: ['demo-ee'],
      allowedDestinations: ['gs://*'],
    });
    const issues = 'issues' in broken ? broken.issues : [];
    expect(issues.length).toBeGreaterThan(2);
    expect(err.split('\n').slice(0, -3)).toEqual([
      'docs/guides/broken-job.json: INVALID_JOB',
      ...issues.map(({ path, message }) => `  ${path}: ${message}`),
    ]);
    const json = await rig.run('submit', '--json', 'docs/guides/broken-job.json');
    expect(JSON.parse(json.out)).toEqual({
      file: 'docs/guides/broken-job.json',
      reason: 'INVALID_JOB',
      issues,
    });
  });

  it('--dry-run prints the request to Earth Engine', async () => {
    const rig = createRig();
    const { code, out } = await rig.run('submit', '--dry-run', '--json', example);
    expect(code).toBe(0);
    expect(JSON.parse(out)).toMatchObject({
      recordId,
      project: 'demo-ee',
      destination: 'gs://my-bucket/timelapse/las-vegas',
      request: { requestId: recordId, description: `las-vegas-growth_${recordId}` },
    });
    expect(rig.publisher.published).toEqual([]);
  });
});

describe('submit of a job that exists', () => {
  const withRecord = (record: Parameters<typeof put>[2]) => {
    const rig = createRig();
    put(rig, recordId, record);
    return rig;
  };

  it.each([
    ['RUNNING', 0, ''],
    ['SUCCEEDED', 0, ''],
    ['FAILED', 3, `  To run it again: npx ee-video-exports retry ${jobKey}\n`],
  ] as const)('reports its state: %s', async (state, code, advice) => {
    const rig = withRecord(sample(state, { jobKey, contentHash }));
    expect(await rig.run('submit', example)).toEqual({
      code,
      out: `already there  ${jobKey}  ${recordId}  ${state}\n${advice}`,
      err: '',
    });
    expect(rig.publisher.published).toEqual([]);
    const { out } = await rig.run('submit', example, '--json');
    expect(JSON.parse(out)).toMatchObject({ outcome: 'ALREADY_THERE', state, recordId });
  });

  it('publishes it if that adds it to a batch', async () => {
    const message = JSON.stringify({ ...(JSON.parse(text) as object), batchId: 'weekly@2' });
    const rig = createRig({ stdin: message });
    put(rig, recordId, sample('RUNNING', { jobKey, contentHash, batchId: 'weekly@1' }));
    const { code, out } = await rig.run('submit', '-');
    expect({ code, out }).toEqual({
      code: 0,
      out: `already there  ${jobKey}  ${recordId}  RUNNING\n  It now counts for the batch weekly@2 too.\n`,
    });
    expect(rig.publisher.published).toHaveLength(1);
  });

  it('refuses a changed job under the same key, with the fields that differ and the next attempt', async () => {
    const changed = JSON.parse(text) as { request: { videoOptions: { framesPerSecond: number } } };
    changed.request.videoOptions.framesPerSecond = 24;
    const rig = createRig({ stdin: JSON.stringify(changed) });
    await rig.store.records.create(recordId, sample('SUCCEEDED', { jobKey, contentHash }), bytes);
    put(rig, `${recordId}-2`, sample('SUCCEEDED', { jobKey, contentHash, attempt: 2 }));
    const { code, out, err } = await rig.run('submit', '-', 'infra/local/examples/africa-ndvi.json');
    expect({ code, out }).toEqual({ code: 2, out: '' });
    expect(err.split('\n')).toEqual([
      `refused  ${jobKey}  ${recordId}`,
      '  There is already a job with this key. It differs in request.videoOptions.framesPerSecond.',
      '  To run the changed job, raise attempt to 3, or use another jobKey.',
      'ee-video-exports: 1 of 2 messages would be rejected, so nothing was published. Change what is listed and submit again.',
      'Service: project demo-ee, database (default)',
      '',
    ]);
    expect(rig.publisher.published).toEqual([]);
    const json = await rig.run('submit', '-', '--json');
    expect(JSON.parse(json.out)).toMatchObject({
      outcome: 'REFUSED',
      differsIn: ['request.videoOptions.framesPerSecond'],
      nextAttempt: 3,
    });
    expect(JSON.parse(json.err)).toMatchObject({ error: { code: 'CONFLICT' } });
  });
});

describe('submit --watch', () => {
  /** One change after the other, each during a sleep. */
  const following = (changes: readonly ((rig: Rig) => void)[], options: RigOptions = {}) => {
    const rig = createRig(options);
    const left = [...changes];
    rig.whileAsleep = () => {
      const next = left.shift();
      if (next) {
        next(rig);
      } else {
        rig.interrupt();
      }
    };
    return rig;
  };
  const at = new Date('2026-11-23T12:00:01Z');
  const common = { contentHash, jobKey, attempt: 1, messageId: '1' };
  const submitting = { state: 'SUBMITTING', at };
  const changes = [
    (rig: Rig) =>
      put(rig, recordId, sample('PENDING', { ...common, history: [submitting, { state: 'PENDING', at }] })),
    (rig: Rig) =>
      put(
        rig,
        recordId,
        sample('RUNNING', {
          ...common,
          progress: 0.42,
          history: [submitting, { state: 'PENDING', at }, { state: 'RUNNING', at }],
        }),
      ),
    (rig: Rig) =>
      put(
        rig,
        recordId,
        sample('SUCCEEDED', {
          ...common,
          outputUris: ['gs://bucket/out.mp4'],
          history: [
            submitting,
            { state: 'PENDING', at },
            { state: 'RUNNING', at },
            { state: 'SUCCEEDED', at },
          ],
        }),
      ),
  ];

  it('prints plain lines in a pipe', async () => {
    const { code, out } = await following(changes).run('submit', example, '--watch');
    expect(code).toBe(0);
    expect(out.split('\n')).toEqual([
      `published      ${jobKey}  ${recordId}`,
      `12:00:00  PUBLISHED   ${jobKey}`,
      `12:00:01  SUBMITTING  ${jobKey}`,
      `12:00:01  PENDING     ${jobKey}`,
      `12:00:01  RUNNING     ${jobKey}  Render frames`,
      `12:00:01  SUCCEEDED   ${jobKey}  gs://bucket/out.mp4`,
      '',
    ]);
  });

  it('draws a bar on a terminal, no wider than it', async () => {
    const { code, out } = await following(changes, { isInteractive: true, columns: 72 }).run(
      'submit',
      example,
      '--watch',
    );
    expect(code).toBe(0);
    expect(out).toContain(`RUNNING     ${jobKey}  ███████░░░░░░░░░  42%  Render…`);
    const lines = stripVTControlCharacters(out).split('\n');
    expect(Math.max(...lines.slice(1).map(({ length }) => length))).toBeLessThanOrEqual(72);
    expect(out.endsWith(`${jobKey}\n  gs://bucket/out.mp4\n`)).toBe(true);
  });

  it('writes a line of JSON for each change', async () => {
    const { out } = await following(changes).run('submit', example, '--watch', '--json');
    const [published, ...lines] = out
      .trim()
      .split('\n')
      .map((line) => JSON.parse(line) as object);
    expect(published).toEqual({
      outcome: 'PUBLISHED',
      recordId,
      messageId: expect.any(String) as string,
      jobKey,
      file: example,
    });
    expect(lines).toMatchObject([
      { state: 'PUBLISHED', hasEnded: false },
      { state: 'PENDING' },
      { state: 'RUNNING', progress: 0.42 },
      { state: 'SUCCEEDED', hasEnded: true },
    ]);
  });

  it('exits with 3 if a job does not succeed, and reports why', async () => {
    const failed = (rig: Rig) => put(rig, recordId, sample('FAILED', common));
    const { code, out } = await following([failed]).run('submit', example, '--watch');
    expect(code).toBe(3);
    expect(out).toContain('Collection not found');
  });

  it('detects that another job has the key', async () => {
    const other = (rig: Rig) => put(rig, recordId, sample('SUCCEEDED', { jobKey, contentHash: 'other' }));
    const { code, out } = await following([other]).run('submit', example, '--watch');
    expect(code).toBe(3);
    expect(out).toMatch(/REFUSED .* another job has this key: ve1-\w+ \(to see it, use show\)/);
  });

  it('watches a job that is already there, in its latest attempt', async () => {
    const rig = createRig();
    put(rig, recordId, sample('FAILED', { ...common, messageId: 'an earlier one' }));
    put(rig, `${recordId}-2`, sample('SUCCEEDED', { ...common, attempt: 2, outputUris: ['gs://b/o'] }));
    const { code, out } = await rig.run('submit', example, '--watch');
    expect(code).toBe(0);
    expect(out).toMatch(/^already there .* ve1-\w{32}-2 {2}SUCCEEDED\n.* SUCCEEDED .* gs:\/\/b\/o\n$/);
    expect(rig.publisher.published).toEqual([]);
  });

  it('detects that the service rejected the message', async () => {
    const rig = createRig();
    rig.whileAsleep = () =>
      // The test publisher counts.
      rig.store.put('rejectedMessages/1', {
        reason: 'INVALID_JOB',
        issues: [{ path: 'project', message: 'is not allowed' }],
        source: 'submitExport',
        attributes: {},
        data: '',
        createdAt: at,
        expireAt: at,
      });
    const { code, out } = await rig.run('submit', example, '--watch');
    expect(code).toBe(3);
    expect(out).toMatch(/REFUSED .* INVALID_JOB: project: is not allowed/);
  });

  it('leaves the jobs running on Ctrl-C, and prints how to continue', async () => {
    const { code, err } = await following(changes.slice(0, 1)).run('submit', example, '--watch');
    expect(code).toBe(130);
    expect(err).toBe(
      `\nThe jobs keep running. To continue watching:\n  npx ee-video-exports watch ${recordId}\n`,
    );
  });

  it('continues after a failed read', async () => {
    const rig = createRig();
    let reads = 0;
    const getMany = rig.store.records.getMany.bind(rig.store.records);
    Object.assign(rig.store.records, {
      getMany: (ids: readonly string[]) => {
        reads += 1;
        return reads === 3 ? Promise.reject(new Error('14 UNAVAILABLE: no')) : getMany(ids);
      },
    });
    let sleeps = 0;
    rig.whileAsleep = () => {
      sleeps += 1;
      if (sleeps === 2) {
        put(rig, recordId, sample('SUCCEEDED', common));
      }
    };
    const { code, err } = await rig.run('submit', example, '--watch');
    expect(code).toBe(0);
    expect(err).toMatch(/^Retrying: /);
  });
});
