import { readdirSync, readFileSync } from 'node:fs';

import { describe, expect, it } from 'vitest';

import {
  type JobRules,
  parseJobFields,
  parseJobMessage,
  REQUEST_BYTES,
} from '../../shared/message/job-message.ts';
import { cpuMs } from '../cpu-time.ts';

const rules: JobRules = {
  defaultProject: 'my-project',
  allowedProjects: ['my-project', 'team-*'],
  allowedDestinations: ['gs://my-bucket/*', 'gs://other.example.com/videos/*'],
};

const expression = { values: { '0': { constantValue: 1 } }, result: '0' };
const request = {
  expression,
  description: 'a video',
  videoOptions: { framesPerSecond: 12, maxFrames: 100, maxPixelsPerFrame: '100000000' },
  fileExportOptions: {
    fileFormat: 'MP4',
    cloudStorageDestination: { bucket: 'my-bucket', filenamePrefix: 'a/b' },
  },
};
const message = { jobKey: 'a/1', request };

/** The message with `value` at `path`; without a value, the field is omitted. */
function changed(path: string, value?: unknown): unknown {
  const copy = structuredClone(message) as Record<string, unknown>;
  const parts = path.split('.');
  const last = parts.pop() ?? '';
  let at = copy;
  for (const part of parts) {
    at = at[part] as Record<string, unknown>;
  }
  if (value === undefined) {
    delete at[last];
  } else {
    at[last] = value;
  }
  return copy;
}

function issuesOf(json: unknown, by: JobRules = rules) {
  const reading = parseJobMessage(json, by);
  return 'issues' in reading ? reading.issues : [];
}

function jobOf(json: unknown, by: JobRules = rules) {
  const reading = parseJobMessage(json, by);
  if ('issues' in reading) {
    throw new Error(JSON.stringify(reading.issues));
  }
  return reading.job;
}

const fixtures = new URL('../fixtures/requests/', import.meta.url);

describe("official clients' requests", () => {
  it.each(readdirSync(fixtures))('%s is a job, unchanged', (file) => {
    const fixture = JSON.parse(readFileSync(new URL(file, fixtures), 'utf8')) as Record<string, unknown>;
    const job = jobOf({ request: fixture }, { ...rules, allowedDestinations: ['gs://*', 'drive:*'] });
    expect(job.request).toEqual(fixture);
    expect(job.recordId).toMatch(/^ve1-[a-z2-7]{32}$/);
  });

  it('the examples are valid jobs', () => {
    const examples = new URL('../../infra/local/examples/', import.meta.url);
    for (const file of ['las-vegas-growth.json', 'africa-ndvi.json', 'florence-summer.json']) {
      expect(issuesOf(JSON.parse(readFileSync(new URL(file, examples), 'utf8')))).toEqual([]);
    }
  });
});

describe('a valid message', () => {
  it('is a job, with defaults for omitted fields around the request, but not in it', () => {
    expect(jobOf({ request })).toEqual({
      jobKey: undefined,
      attempt: 1,
      project: 'my-project',
      batchId: undefined,
      labels: {},
      destination: 'gs://my-bucket/a/b',
      request,
      requestedVideo: { framesPerSecond: 12 },
      recordId: expect.stringMatching(/^ve1-/) as string,
      contentHash: expect.stringMatching(/^[0-9a-f]{64}$/) as string,
      shapeHash: expect.stringMatching(/^[0-9a-f]{14}$/) as string,
    });
  });

  it("gives Earth Engine the bare form of the Python client's numbers", () => {
    const wrapped = jobOf({
      request: { ...request, priority: { value: 7 }, videoOptions: { maxPixelsPerFrame: { value: '123' } } },
    });
    expect(wrapped.request).toMatchObject({ priority: 7, videoOptions: { maxPixelsPerFrame: '123' } });
    for (const maxPixelsPerFrame of ['123', 123, { value: 123 }]) {
      for (const priority of [7, '7', { value: '7' }]) {
        const job = jobOf({ request: { ...request, priority, videoOptions: { maxPixelsPerFrame } } });
        expect(job.contentHash).toBe(wrapped.contentHash);
        expect(job.request).toEqual(wrapped.request);
      }
    }
  });

  it.each<[string, unknown]>([
    ['jobKey', 'é'.repeat(200)],
    ['jobKey', '🛰'.repeat(200)],
    ['attempt', 999],
    ['project', 'team-a'],
    ['batchId', 'weekly@2026-11-23'],
    ['labels', Object.fromEntries(Array.from({ length: 16 }, (_, index) => [`k${index}`, 'v'.repeat(63)]))],
    ['request.description', 'Zürich – 日本'],
    ['request.description', ''],
    ['request.videoOptions', {}],
    ['request.videoOptions.framesPerSecond', 0.1],
    ['request.videoOptions.framesPerSecond', 120],
    ['request.videoOptions.maxFrames', 1],
    ['request.videoOptions.maxPixelsPerFrame', '9223372036854775807'],
    ['request.priority', 0],
    ['request.priority', 9999],
    ['request.workloadTag', 'a'],
    ['request.workloadTag', 'a_b-9'],
    ['request.workloadTag', ''],
    ['request.fileExportOptions.cloudStorageDestination.filenamePrefix', ''],
    ['request.fileExportOptions.cloudStorageDestination.permissions', 'PUBLIC'],
    ['request.fileExportOptions.cloudStorageDestination.bucketCorsUris', ['*']],
  ])('may have %s = %j', (path, value) => {
    expect(issuesOf(changed(path, value))).toEqual([]);
  });

  it('has no workload tag if the tag is empty, as in the official clients', () => {
    expect(jobOf(changed('request.workloadTag', '')).contentHash).toBe(jobOf(message).contentHash);
  });
});

const storage = 'request.fileExportOptions.cloudStorageDestination';

describe('an invalid field', () => {
  it.each<[string, unknown, string]>([
    ['jobKey', '', 'found ""; allowed: 1 to 200 characters'],
    ['jobKey', 'x'.repeat(201), 'allowed: 1 to 200 characters'],
    ['jobKey', 'a\nb', 'no control characters'],
    ['jobKey', '\ud800', 'surrogate'],
    ['jobKey', 7, 'found 7'],
    ['jobKey', null, 'found null'],
    ['attempt', 0, 'found 0; allowed: a whole number from 1 to 999'],
    ['attempt', 1000, '1 to 999'],
    ['attempt', 1.5, '1 to 999'],
    ['attempt', '2', 'found "2"'],
    ['project', 'someone-else', 'found "someone-else"; allowed: a project in ALLOWED_PROJECTS'],
    ['project', 'projects/team-a', 'a Google Cloud project id'],
    ['project', 3, 'found 3'],
    ['batchId', 'a b', 'found "a b"'],
    ['batchId', 'x'.repeat(130), '1 to 129'],
    ['labels', ['a'], 'an array of 1 item'],
    [
      'labels',
      Object.fromEntries(Array.from({ length: 17 }, (_, index) => [`k${index}`, 'v'])),
      'at most 16',
    ],
    ['labels.Team', undefined, ''],
    ['request.description', 3, 'found 3'],
    ['request.description', '\udc00', 'surrogate'],
    ['request.videoOptions.framesPerSecond', 0.09, 'found 0.09; allowed: a number from 0.1 to 120'],
    ['request.videoOptions.framesPerSecond', 121, 'found 121'],
    ['request.videoOptions.framesPerSecond', '12', 'found "12"'],
    ['request.videoOptions.framesPerSecond', null, 'found null'],
    ['request.videoOptions.maxFrames', 0, 'from 1'],
    ['request.videoOptions.maxFrames', 2.5, 'whole number'],
    ['request.videoOptions.maxPixelsPerFrame', 0, 'positive int64'],
    ['request.videoOptions.maxPixelsPerFrame', '9223372036854775808', 'positive int64'],
    ['request.videoOptions.maxPixelsPerFrame', '1e8', 'positive int64'],
    ['request.videoOptions.maxPixelsPerFrame', { value: '-1' }, 'positive int64'],
    ['request.fileExportOptions.fileFormat', 'GIF', 'found "GIF"; allowed: "MP4"'],
    ['request.workloadTag', 'Water', 'letter or digit at both ends'],
    ['request.workloadTag', 'water-', 'letter or digit at both ends'],
    ['request.workloadTag', 'a.b', 'letter or digit at both ends'],
    ['request.workloadTag', 'x'.repeat(64), '1 to 63'],
    ['request.priority', 10_000, 'from 0 to 9999'],
    ['request.priority', -1, 'from 0 to 9999'],
    ['request.priority', 'high', 'from 0 to 9999'],
    ['request.priority', { value: 10_000 }, 'from 0 to 9999'],
    [`${storage}.bucket`, 'gs://my-bucket', 'without gs://'],
    [`${storage}.bucket`, 'My-Bucket', 'a bucket name'],
    [`${storage}.bucket`, 'a', 'a bucket name'],
    [`${storage}.bucket`, '192.168.0.1', 'a bucket name'],
    [`${storage}.bucket`, 'goog-videos', 'a bucket name'],
    [`${storage}.bucket`, 'a..b', 'a bucket name'],
    [`${storage}.bucket`, 'x'.repeat(64), 'a bucket name'],
    [`${storage}.bucket`, `${'x'.repeat(64)}.example.com`, '63 between them'],
    [`${storage}.filenamePrefix`, 'x'.repeat(1025), '1024 bytes'],
    [`${storage}.filenamePrefix`, 'é'.repeat(513), '1024 bytes'],
    [`${storage}.filenamePrefix`, 'a\nb', 'line breaks'],
    [`${storage}.permissions`, 'ALL', 'found "ALL"'],
    [`${storage}.bucketCorsUris`, '*', 'an array of addresses'],
  ])('%s = %j is reported with what is allowed', (path, value, text) => {
    if (value === undefined) {
      return expect(issuesOf(changed('labels', { Team: 'x' }))[0]?.path).toBe('labels.Team');
    }
    expect(issuesOf(changed(path, value))).toContainEqual({
      path,
      message: expect.stringContaining(text) as string,
    });
    return undefined;
  });

  it.each<[string]>([
    ['request'],
    ['request.expression'],
    ['request.fileExportOptions'],
    ['request.fileExportOptions.fileFormat'],
    [`${storage}.bucket`],
  ])('%s is required', (path) => {
    expect(issuesOf(changed(path))).toEqual([
      { path, message: expect.stringMatching(/^is missing; allowed: /) as string },
    ]);
  });

  it.each<[string, string]>([
    ['extra', 'allowed here: jobKey, attempt'],
    ['discription', 'is not a field; allowed here: jobKey'],
    ['request.discription', 'is not a field (did you mean description?); allowed here: expression'],
    ['jobkey', 'is not a field (did you mean jobKey?)'],
    ['priority', 'is not a field here; it belongs in request.priority'],
    ['bucket', 'it belongs in request.fileExportOptions.cloudStorageDestination.bucket'],
    ['request.jobKey', 'it belongs in jobKey'],
    ['request.videoOptions.fps', 'is not a field; allowed here: framesPerSecond'],
    ['request.extra', 'allowed here: expression, description'],
    ['request.grid', 'allowed here: expression'],
    ['request.videoOptions.extra', 'allowed here: framesPerSecond, maxFrames, maxPixelsPerFrame'],
    [
      'request.fileExportOptions.extra',
      'allowed here: fileFormat, cloudStorageDestination, driveDestination',
    ],
    [`${storage}.extra`, 'allowed here: bucket, filenamePrefix'],
    ['request.expression.extra', 'allowed: values, result'],
    ['request.requestId', 'jobKey'],
    ['request.maxWorkers', 'must be left out'],
  ])('%s is not a field', (path, text) => {
    expect(issuesOf(changed(path, 'x'))).toEqual([
      { path, message: expect.stringContaining(text) as string },
    ]);
  });

  it('is reported together with all others', () => {
    const wrong = {
      jobKey: '',
      color: 'red',
      project: 'someone-else',
      labels: { A: 'x', b: 3 },
      request: {
        expression: { values: { '0': { valueReference: '1' } }, result: '0' },
        videoOptions: { framesPerSecond: 500, maxFrames: -1 },
        fileExportOptions: { fileFormat: 'GIF', driveDestination: {} },
        priority: 1e6,
      },
    };
    expect(new Set(issuesOf(wrong).map(({ path }) => path))).toEqual(
      new Set([
        'jobKey',
        'color',
        'project',
        'labels.A',
        'labels.b',
        'request.expression.values["0"].valueReference',
        'request.videoOptions.framesPerSecond',
        'request.videoOptions.maxFrames',
        'request.fileExportOptions.fileFormat',
        'request.fileExportOptions.driveDestination',
        'request.priority',
      ]),
    );
  });

  it('is not quoted at length', () => {
    const huge = changed('request.priority', 'x'.repeat(1_000_000));
    expect(issuesOf(huge)[0]?.message.length).toBeLessThan(250);
  });
});

describe('the destination', () => {
  const withOptions = (options: object) => ({
    request: { ...request, fileExportOptions: { fileFormat: 'MP4', ...options } },
  });
  const path = 'request.fileExportOptions';

  it('must be exactly one', () => {
    expect(issuesOf(withOptions({}))).toEqual([
      { path, message: expect.stringContaining('found no destination') as string },
    ]);
    const both = withOptions({
      cloudStorageDestination: { bucket: 'my-bucket' },
      driveDestination: { folder: 'f' },
    });
    expect(issuesOf(both)).toContainEqual({
      path,
      message:
        'found cloudStorageDestination and driveDestination; allowed: exactly one of cloudStorageDestination, driveDestination',
    });
  });

  it('must be one that is allowed', () => {
    expect(issuesOf(withOptions({ cloudStorageDestination: { bucket: 'their-bucket' } }))).toMatchObject([
      {
        path: `${path}.cloudStorageDestination`,
        message: expect.stringContaining('gs://their-bucket/') as string,
      },
    ]);
    const other = (filenamePrefix: string) =>
      issuesOf(withOptions({ cloudStorageDestination: { bucket: 'other.example.com', filenamePrefix } }));
    expect(other('videos/a')).toEqual([]);
    expect(other('private/a')).toHaveLength(1);
  });

  it('must fit into a record', () => {
    const driveDestination = { folder: 'é'.repeat(513) };
    const json = changed('request.fileExportOptions', { fileFormat: 'MP4', driveDestination });
    expect(issuesOf(json, { ...rules, allowedDestinations: ['drive:*'] })).toMatchObject([
      { path: 'request.fileExportOptions.driveDestination.folder' },
    ]);
  });

  it('must be the whole pattern, unless the pattern ends with *', () => {
    const by = { ...rules, allowedDestinations: ['gs://my-bucket/videos/a', 'gs://my-bucket/films*'] };
    const issuesAt = (filenamePrefix: string) =>
      issuesOf(withOptions({ cloudStorageDestination: { bucket: 'my-bucket', filenamePrefix } }), by);
    expect(issuesAt('videos/a')).toEqual([]);
    expect(issuesAt('videos/ab')).toHaveLength(1);
    expect(issuesAt('films/ab')).toEqual([]);
  });

  it('may be Drive only if that is listed', () => {
    const drive = withOptions({ driveDestination: { folder: 'films', filenamePrefix: 'a' } });
    expect(issuesOf(drive)).toMatchObject([{ path: `${path}.driveDestination` }]);
    expect(issuesOf(drive, { ...rules, allowedDestinations: ['gs://*'] })).toHaveLength(1);
    const job = jobOf(drive, { ...rules, allowedDestinations: ['drive:films/*'] });
    expect(job.destination).toBe('drive:films/a');
  });
});

describe('hostile messages', () => {
  it.each<[string, unknown]>([
    ['text', 'x'],
    ['null', null],
    ['an array', [message]],
    ['10,000 levels', JSON.parse('['.repeat(10_000) + ']'.repeat(10_000))],
  ])('%s is not a message', (_, json) => {
    expect(issuesOf(json)).toEqual([
      { path: 'data', message: expect.stringContaining('a job message') as string },
    ]);
  });

  it('__proto__ at any depth is reported quickly, with a path that can be stored', () => {
    const levels = 200_000;
    const nest = `${'['.repeat(levels)}{"__proto__":1}${']'.repeat(levels)}`;
    const json: unknown = JSON.parse(
      JSON.stringify({ ...message, labels: { a: 'NEST' } }).replace('"NEST"', nest),
    );
    const start = cpuMs();
    const issues = issuesOf(json);
    expect(cpuMs() - start).toBeLessThan(2_000);
    expect(issues[0]?.path).toMatch(/^labels\.a\[0\].*….*\.__proto__$/);
    expect(Buffer.byteLength(JSON.stringify(issues))).toBeLessThan(2_000);
  });

  it('__proto__ is reported with its path', () => {
    const text = JSON.stringify({ ...message, labels: { team: 'water' } });
    const withProto = (after: string) =>
      issuesOf(JSON.parse(text.replace(after, `${after}"__proto__":{"priority":1},`)));
    expect(withProto('{')).toMatchObject([{ path: '__proto__' }]);
    expect(withProto('"labels":{')).toMatchObject([{ path: 'labels.__proto__' }]);
    expect(withProto('"request":{')).toMatchObject([{ path: 'request.__proto__' }]);
    expect(withProto('"videoOptions":{')).toMatchObject([{ path: 'request.videoOptions.__proto__' }]);
    expect(withProto('"fileExportOptions":{')).toMatchObject([
      { path: 'request.fileExportOptions.__proto__' },
    ]);
    expect(withProto('"values":{')).toContainEqual(
      expect.objectContaining({ path: 'request.expression.values.__proto__' }),
    );
  });

  it('deep and wide junk is rejected without a crash', () => {
    const deep = JSON.parse(`${'{"a":'.repeat(10_000)}1${'}'.repeat(10_000)}`) as unknown;
    for (const path of [
      'junk',
      'labels',
      'request.videoOptions',
      'request.priority',
      'request.description',
    ]) {
      expect(issuesOf(changed(path, deep)).length).toBeGreaterThan(0);
    }
    const wide = Object.fromEntries(Array.from({ length: 900 }, (_, index) => [`k${index}`, index]));
    const issues = issuesOf({ ...wide, ...message });
    expect(issues).toHaveLength(51);
    expect(issues.at(-1)?.message).toBe('and 850 more');
  });

  const million = Array.from({ length: 1_000_000 }, () => 1);
  const manyNames = (value: unknown) =>
    Object.fromEntries(Array.from({ length: 300_000 }, (_, index) => [`K${index}`, value]));
  it.each<[string, unknown, string]>([
    ['addresses', changed(`${storage}.bucketCorsUris`, million), `${storage}.bucketCorsUris`],
    ['labels', changed('labels', manyNames(1)), 'labels'],
    ['fields', { ...manyNames(1), request: {} }, ''],
    ['nested fields', changed('request.videoOptions', manyNames({})), 'request.videoOptions'],
  ])('hundreds of thousands of %s are a single issue, reported quickly', (_, json, path) => {
    const start = cpuMs();
    expect(issuesOf(json)).toEqual([
      { path, message: expect.stringMatching(/^has \d+ members; allowed: at most 1000$/) as string },
    ]);
    expect(cpuMs() - start).toBeLessThan(500);
  });

  it('a million levels with __proto__ beneath them are rejected quickly', () => {
    const nest = `${'['.repeat(1200)}{"__proto__":1}${']'.repeat(1200)}`;
    const json = changed('labels', JSON.parse(`[${Array.from({ length: 900 }, () => nest).join()}]`));
    const start = cpuMs();
    expect(issuesOf(json)).toHaveLength(20);
    expect(cpuMs() - start).toBeLessThan(2_000);
  });

  it('have a record id if jobKey, project and attempt are valid themselves', () => {
    const known = (fields: object) => {
      const reading = parseJobMessage({ ...fields, request: 1 }, rules);
      return 'issues' in reading ? reading.recordId : 'a job';
    };
    expect(known({ jobKey: 'a/1' })).toBe(jobOf(message).recordId);
    expect(known({ jobKey: 'a/1', project: 'team-a', attempt: 3 })).toBe(
      jobOf({ ...message, project: 'team-a', attempt: 3 }).recordId,
    );
    for (const wrong of [
      {},
      { jobKey: '' },
      { jobKey: 'a', attempt: 0 },
      { jobKey: 'a', attempt: null },
      { jobKey: 'a', project: '/' },
    ]) {
      expect(known(wrong)).toBeUndefined();
    }
  });

  it('have the job key and the batch id if these are valid themselves', () => {
    expect(parseJobMessage({ jobKey: 'a', batchId: 'b@1' }, rules)).toMatchObject({
      jobKey: 'a',
      batchId: 'b@1',
    });
    expect(parseJobMessage({ jobKey: '', batchId: '/' }, rules)).toMatchObject({
      jobKey: undefined,
      batchId: undefined,
    });
  });
});

describe('the size of a request', () => {
  const sized = (characters: number) => ({
    request: {
      ...request,
      expression: { values: { '0': { constantValue: 'x'.repeat(characters) } }, result: '0' },
    },
  });

  it('as it is sent is limited to exactly the bytes that Earth Engine accepts', () => {
    const overhead = 10_000_000;
    const job = jobOf(sized(overhead));
    const id = job.recordId.length;
    const sentBytes = Buffer.byteLength(
      JSON.stringify({ ...job.request, requestId: 'r'.repeat(id), description: `a-video_${'r'.repeat(id)}` }),
    );
    const room = REQUEST_BYTES - sentBytes;
    expect(issuesOf(sized(overhead + room))).toEqual([]);
    expect(issuesOf(sized(overhead + room + 1))).toEqual([
      { path: 'request', message: 'found 10485761 bytes as it would be sent; allowed: at most 10485760' },
    ]);
  });

  it('of 20 MB is rejected within two seconds', () => {
    const json = sized(20_000_000);
    const start = cpuMs();
    expect(issuesOf(json)).toMatchObject([{ path: 'request' }]);
    expect(cpuMs() - start).toBeLessThan(2_000);
  });
});

describe('parseJobFields', () => {
  it('reads everything except the graph', () => {
    const cyclic = changed('request.expression', { values: { '0': { valueReference: '0' } }, result: '0' });
    expect(parseJobFields(cyclic, rules)).toMatchObject({
      fields: { jobKey: 'a/1', destination: 'gs://my-bucket/a/b' },
    });
    expect(parseJobFields(changed('request.priority', -1), rules)).toMatchObject({
      issues: [{ path: 'request.priority' }],
    });
  });
});
