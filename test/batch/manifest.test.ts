import { describe, expect, it } from 'vitest';

import { checkExpansion } from '../../shared/batch/check-expansion.ts';
import { createExpansion } from '../../shared/batch/expansion.ts';
import { readManifest } from '../../shared/batch/manifest.ts';
import { parseJobMessage } from '../../shared/message/job-message.ts';
import { smallJob } from '../harness.ts';
import { landsatManifest, smallManifest } from './manifests.ts';

const publishTime = new Date('2026-11-23T14:05:00Z');
const rules = {
  defaultProject: 'demo-test',
  allowedProjects: ['demo-test'],
  allowedDestinations: ['gs://*'],
};

async function expand(json: unknown) {
  const reading = readManifest(json, publishTime);
  if ('issues' in reading) {
    return { issues: reading.issues };
  }
  const expansion = createExpansion(reading.manifest);
  if ('issues' in expansion) {
    return { issues: expansion.issues };
  }
  return { expansion, issues: await checkExpansion(expansion, rules) };
}

/** The expansion of a valid manifest. */
async function expanded(json: unknown) {
  const { expansion, issues } = await expand(json);
  expect(issues).toEqual([]);
  if (!expansion) {
    throw new Error('There is no expansion');
  }
  const jobs = Array.from(
    { length: expansion.jobs },
    (_, job) => JSON.parse(new TextDecoder().decode(expansion.message(job))) as Record<string, unknown>,
  );
  return { expansion, jobs };
}

const constants = (value: unknown): unknown[] => {
  if (typeof value !== 'object' || value === null) {
    return [];
  }
  return Object.entries(value).flatMap(([key, member]) =>
    key === 'constantValue' ? [member] : constants(member),
  );
};

describe('an expansion', () => {
  it('has every combination, the last axis changing fastest, each with a different graph', async () => {
    const { expansion, jobs } = await expanded(landsatManifest());
    expect(jobs.map((job) => job['jobKey'])).toEqual([
      'weekly-timelapse/2026-11-23/alps/2018',
      'weekly-timelapse/2026-11-23/alps/2019',
      'weekly-timelapse/2026-11-23/alps/2020',
      'weekly-timelapse/2026-11-23/vegas/2018',
      'weekly-timelapse/2026-11-23/vegas/2019',
      'weekly-timelapse/2026-11-23/vegas/2020',
    ]);
    expect(jobs.map((job) => job['batchId'])).toEqual(Array(6).fill('weekly-timelapse@2026-11-23'));
    expect(jobs.map((job) => job['labels'])).toEqual(
      ['alps', 'alps', 'alps', 'vegas', 'vegas', 'vegas'].map((region) => ({ region })),
    );
    for (const [job, message] of jobs.entries()) {
      const found = constants(message['request']);
      expect(found).toContain(2018 + (job % 3));
      expect(found).toContainEqual(job < 3 ? [7.65, 45.97] : [-115.14, 36.17]);
      expect(message).toEqual(expansion.json(job));
      expect(parseJobMessage(message, rules)).toHaveProperty('job');
    }
    const hashes = jobs.map((job) => {
      const reading = parseJobMessage(job, rules);
      return 'job' in reading ? reading.job.contentHash : '';
    });
    expect(new Set(hashes).size).toBe(6);
  });

  it('has one job without a matrix', async () => {
    const { jobs } = await expanded({ batchId: 'one', job: smallJob({ jobKey: '${batchId}' }) });
    expect(jobs).toMatchObject([{ jobKey: 'one', batchId: 'one@2026-11-23' }]);
  });

  it('knows the bytes of each message before making it', async () => {
    const { expansion } = await expanded(
      landsatManifest({ matrix: { region: [{ id: 'Zürich "a"', point: ['é', { ü: '…' }] }], year: [1, 2] } }),
    );
    for (const job of [0, 1]) {
      expect(expansion.messageBytes(job)).toBe(expansion.message(job).length);
    }
  });

  it('fills in values of any type, text within text, and dates', async () => {
    const constant = {
      whole: '${region}',
      item: '${region.list.1}',
      nothing: '${region.nothing}',
      text: '${run}: ${region.id} ${region.size} ${region.flag}',
      dates: ['${from}', 'before ${to}'],
      literal: '$${run} $$${run} $ {run} ${run}$',
      'a $${name}': 1,
    };
    const region = { id: 'a"b', size: 1.5, flag: false, list: [1, { deep: '${run}' }], nothing: null };
    const request = smallJob()['request'] as { expression: { values: Record<string, unknown> } };
    request.expression.values['0'] = { constantValue: constant };
    const { jobs } = await expanded({
      batchId: 'b',
      matrix: { region: [region] },
      dates: { from: 'run-P30D', to: '2026-12-24' },
      job: { jobKey: 'k', request },
    });
    const [job] = jobs as { request: typeof request }[];
    expect(job?.request.expression.values['0']).toEqual({
      constantValue: {
        whole: region,
        item: { deep: '${run}' },
        nothing: null,
        text: '2026-11-23: a"b 1.5 false',
        dates: ['2026-10-24', 'before 2026-12-24'],
        literal: '${run} $${run} $ {run} 2026-11-23$',
        'a ${name}': 1,
      },
    });
  });

  it('can fill in whole graphs, requests and numbers in other fields', async () => {
    const { request } = smallJob() as { request: { expression: unknown } };
    const graph = await expanded({
      batchId: 'b',
      matrix: { graph: [request.expression], fps: [1, 2] },
      job: {
        jobKey: 'fps-${fps}',
        request: { ...request, expression: '${graph}', videoOptions: { framesPerSecond: '${fps}' } },
      },
    });
    expect(graph.jobs[1]).toMatchObject({
      request: { expression: request.expression, videoOptions: { framesPerSecond: 2 } },
    });
    const whole = await expanded({
      batchId: 'b',
      matrix: { request: [request, { ...request, description: 'other' }] },
      job: { request: '${request}' },
    });
    expect(whole.jobs[1]).toMatchObject({ request: { description: 'other' } });
  });

  it('has a hash that depends on its content, not on how its run was named or its fields are ordered', () => {
    const hashOf = (json: unknown) => {
      const reading = readManifest(json, publishTime);
      return 'manifest' in reading ? reading.manifest.hash : '';
    };
    const manifest = landsatManifest();
    const named = Object.fromEntries(Object.entries({ ...manifest, run: '2026-11-23' }).reverse());
    expect(hashOf(named)).toBe(hashOf(manifest));
    expect(hashOf({ ...manifest, matrix: { region: [], year: [] } })).toBe('');
    expect(hashOf({ ...manifest, dates: { from: 'run' } })).not.toBe(hashOf(manifest));
  });
});

describe('an invalid manifest', () => {
  const small = smallManifest(2);
  const { request } = smallJob() as { request: Record<string, unknown> };
  const withJob = (job: Record<string, unknown>) => ({
    ...small,
    job: { ...(small['job'] as object), ...job },
  });

  it.each<[string, unknown, string, RegExp]>([
    ['an array', [], '', /a batch manifest/],
    ['an unknown field', { ...small, cron: '* * * * *' }, 'cron', /is not a field.*runEvery/],
    ['no batchId', { ...small, batchId: undefined }, 'batchId', /missing/],
    ['a batchId with an @', { ...small, batchId: 'a@b' }, 'batchId', /"a@b"/],
    ['a run that is too long', { ...small, run: 'a'.repeat(33) }, 'run', /1 to 32/],
    ['an unknown interval', { ...small, run: undefined, runEvery: 'week' }, 'runEvery', /day, hour, minute/],
    ['an empty axis', { ...small, matrix: { n: [1], m: [] } }, 'matrix.m', /at least one value/],
    ['an axis that is not an array', { ...small, matrix: { n: 5 } }, 'matrix.n', /found 5/],
    ['an axis with a reserved name', { ...small, matrix: { run: [1] } }, 'matrix.run', /not batchId or run/],
    [
      'an axis and a date with the same name',
      { ...small, dates: { n: 'run' } },
      'dates.n',
      /the name of an axis/,
    ],
    ['an invalid date', { ...small, dates: { from: 'run-30' } }, 'dates.from', /"run-30".*P30D/],
    [
      'too many combinations',
      { ...small, matrix: { n: Array(1000).fill(0), m: Array(101).fill(0) } },
      'matrix',
      /101000.*100000/,
    ],
    ['a batchId within the job', withJob({ batchId: 'x' }), 'job.batchId', /left out/],
    ['an unclosed name', withJob({ jobKey: '${n' }), 'job.jobKey', /without its }/],
    ['a name within a field name', withJob({ labels: { '${n}': 'x' } }), 'job.labels["${n}"]', /only values/],
    ['no job', { ...small, job: undefined }, 'job', /missing/],
    [
      'no request',
      withJob({ request: undefined }),
      'job.request',
      /missing.*in combination 0: n 0 and 1 more/,
    ],
    ['an unknown name', withJob({ jobKey: '${m}' }), 'job.jobKey', /\$\{m\}.*batchId, run, n/],
    [
      'a field that the value does not have',
      withJob({ jobKey: '${n.id}' }),
      'job.jobKey',
      /no "id".*with n 0/,
    ],
    [
      'an inherited field',
      { ...small, matrix: { n: [{}] }, job: { jobKey: '${n.constructor}', request } },
      'job.jobKey',
      /no "constructor"/,
    ],
    [
      'the length of an array',
      { ...small, matrix: { n: [[1]] }, job: { jobKey: '${n.length}', request } },
      'job.jobKey',
      /no "length"/,
    ],
    [
      'a value that cannot be inserted',
      { ...small, matrix: { n: [1, { a: 1 }] } },
      'job.jobKey',
      /an object with a.*every combination with n \{"a":1\}/,
    ],
    ['null within text', { ...small, matrix: { n: [null] } }, 'job.jobKey', /is null there/],
    [
      'the same key twice',
      { ...small, matrix: { n: [1, 2, 1] } },
      'job.jobKey',
      /same job as combination 0: n 1.*in combination 2: n 1/,
    ],
    [
      'the same content twice, without a key',
      { ...small, matrix: { n: [1, 2] }, job: { request } },
      'job.jobKey',
      /same job as combination 0/,
    ],
    [
      'a job that is invalid in one combination',
      withJob({ attempt: '${n}' }),
      'job.attempt',
      /found 0.*in combination 0: n 0\)/,
    ],
    ['a project that is not allowed', withJob({ project: 'other-${n}' }), 'job.project', /"other-0"/],
    [
      'a date that counts from a run without a date',
      { ...withJob({ jobKey: '${from}-${n}' }), run: 'spring', dates: { from: 'run' } },
      'job.jobKey',
      /"spring" is not a date/,
    ],
    [
      'a graph that is invalid in one combination',
      withJob({
        request: { ...request, expression: { result: '${n}', values: { '0': { constantValue: 1 } } } },
      }),
      'job.request.expression.result',
      /found 0/,
    ],
    [
      'an argument named constantValue that is not a constant',
      withJob({
        request: {
          ...request,
          expression: {
            result: '0',
            values: {
              '0': {
                functionInvocationValue: {
                  functionName: 'f',
                  arguments: { constantValue: { valueReference: 'key-${n}' } },
                },
              },
            },
          },
        },
      }),
      'job.request.expression.values["0"].functionInvocationValue.arguments.constantValue.valueReference',
      /found "key-1".*in combination 1/,
    ],
    [
      'a job that is too large',
      {
        ...small,
        matrix: { n: ['x'.repeat(5_000_000)] },
        job: {
          jobKey: 'k',
          request: {
            ...request,
            expression: { result: '0', values: { '0': { constantValue: ['${n}', '${n}'] } } },
          },
        },
      },
      'job',
      /found 100\d{5} bytes; allowed: at most 9990000/,
    ],
  ])('%s', async (_, json, path, message) => {
    // JSON has no undefined values.
    const { issues } = await expand(JSON.parse(JSON.stringify(json)) as unknown);
    const issue = issues.find((each) => each.path === path && message.test(each.message));
    expect(issue, JSON.stringify(issues)).toBeDefined();
  });

  it.each([
    ['among the axes', '{"batchId":"a","matrix":{"__proto__":[1]},"job":{}}', 'matrix["__proto__"]'],
    ['in a value', '{"batchId":"a","matrix":{"n":[{"__proto__":1}]},"job":{}}', 'matrix.n[0]["__proto__"]'],
    ['in the job', '{"batchId":"a","job":{"__proto__":{"request":{}}}}', 'job["__proto__"]'],
  ])('__proto__ %s', async (_, text, path) => {
    const { issues } = await expand(JSON.parse(text));
    expect(issues.map((issue) => issue.path.replace('.__proto__', '["__proto__"]'))).toEqual([path]);
  });

  it('numbers, text and depths that cannot be sent on', async () => {
    const deep = `${'['.repeat(5000)}${']'.repeat(5000)}`;
    for (const text of ['1e999', '"\\ud800"', deep]) {
      const { issues } = await expand(JSON.parse(`{"batchId":"a","matrix":{"n":[${text}]},"job":{}}`));
      expect(issues[0]?.path).toMatch(/^matrix\.n\[0\]/);
    }
    const { issues } = await expand(JSON.parse(`{"batchId":"a","job":{"request":${deep}}}`));
    expect(issues[0]?.message).toMatch(/too deep/);
  });

  it('reports several issues together', async () => {
    const { issues } = await expand({
      ...withJob({ jobKey: '${m}', attempt: 0 }),
      matrix: { n: [1, { a: 1 }] },
    });
    // No combination has a key, which does not hide the other issues.
    expect(issues.map((issue) => issue.path)).toEqual(['job.jobKey', 'job.request.description']);
    const both = await expand({ ...withJob({ attempt: 0, labels: { UPPER: 'x' } }) });
    expect(both.issues.map((issue) => issue.path)).toEqual(['job.attempt', 'job.labels.UPPER']);
  });

  it('reports issues of every job in bounded length', async () => {
    const { issues } = await expand({ ...smallManifest(5000), job: { jobKey: '${n}', attempt: '${n}' } });
    expect(issues.length).toBeLessThan(60);
    expect(JSON.stringify(issues).length).toBeLessThan(30_000);
  });
});

describe('the graph of a template', () => {
  it('is read once for all jobs that differ only in constants', async () => {
    let reads = 0;
    const manifest = smallManifest(200);
    const { expansion } = await expanded(manifest);
    const counted = {
      ...expansion,
      graph: (job: number) => {
        const graph = expansion.graph(job);
        return (
          graph && {
            ...graph,
            expression: () => {
              reads += 1;
              return graph.expression();
            },
          }
        );
      },
    };
    if (!expansion) {
      throw new Error('There is no expansion');
    }
    expect(await checkExpansion(counted, rules)).toEqual([]);
    expect(reads).toBe(1);
  });

  it('is read once for each value that is filled in elsewhere', async () => {
    const request = {
      ...(smallJob()['request'] as object),
      expression: {
        result: '0',
        values: {
          '0': {
            functionInvocationValue: {
              functionName: '${algorithm}',
              arguments: { a: { constantValue: '${n}' } },
            },
          },
        },
      },
    };
    const { expansion } = await expanded({
      batchId: 'b',
      matrix: { algorithm: ['f', 'g'], n: [1, 2, 3] },
      job: { jobKey: '${algorithm}${n}', request },
    });
    const keys = Array.from({ length: 6 }, (_, job) => expansion.graph(job)?.key);
    expect(keys).toEqual(['0', '0', '0', '1', '1', '1']);
  });
});
