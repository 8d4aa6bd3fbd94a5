import { afterAll, beforeAll, describe, expect, it } from 'vitest';

import type { FunctionProcess } from '../../infra/local/function-process.ts';
import type { RejectedMessage } from '../../shared/model/rejected-message.ts';
import { isReadable } from '../../shared/store/store.ts';
import { pushBody, smallJob } from '../harness.ts';
import { createRig, post, type Rig } from './rig.ts';

/** Messages as they arrive over HTTP, valid and invalid. */

const JSON_TYPE = { 'content-type': 'application/json' };
/** How long an invalid message may take: others wait behind it. */
const ANSWER_LIMIT_MS = 2000;

let rig: Rig;
let submit: FunctionProcess;

beforeAll(async () => {
  rig = await createRig('envelopes');
  submit = await rig.start('submitExport', { NODE_ENV: 'development' });
  // The clients load with the first request, which must not affect the times measured below.
  await post(submit.url, pushBody({ data: 'warm-up', messageId: 'warm-up' }));
});
afterAll(async () => rig?.[Symbol.asyncDispose]());

let lastMessage = 0;
const nextMessageId = (): string => `hostile-${(lastMessage += 1)}`;

async function rejectionOf(messageId: string): Promise<RejectedMessage> {
  const found = await rig.store.rejectedMessages.get(messageId);
  if (!found || !isReadable(found)) {
    throw new Error(`message ${messageId} is not recorded`);
  }
  return found.value;
}

const recordCount = async (): Promise<number> => rig.store.records.count({ where: [], orderBy: [] });
const rejectedCount = async (): Promise<number> =>
  rig.store.rejectedMessages.count({ where: [], orderBy: [] });

function base64(data: unknown): string {
  return Buffer.from(typeof data === 'string' ? data : JSON.stringify(data)).toString('base64');
}

/** The same message as a push and as each kind of CloudEvent. */
function forms(
  job: object,
  attributes: Record<string, string> | undefined,
): [string, object, Record<string, string>][] {
  const messageId = nextMessageId();
  const push = {
    message: { data: base64(job), messageId, ...(attributes && { attributes }) },
    subscription: 'projects/p/subscriptions/s',
  };
  const event = {
    specversion: '1.0',
    id: messageId,
    type: 'google.cloud.pubsub.topic.v1.messagePublished',
    source: '//pubsub.googleapis.com/projects/p/topics/t',
  };
  const binary = Object.fromEntries(Object.entries(event).map(([name, value]) => [`ce-${name}`, value]));
  return [
    ['a push', push, JSON_TYPE],
    ['a binary CloudEvent', push, { ...JSON_TYPE, ...binary }],
    [
      'a structured CloudEvent',
      { ...event, datacontenttype: 'application/json', data: push },
      { 'content-type': 'application/cloudevents+json' },
    ],
  ];
}

describe('a job message', () => {
  it.each([
    ['without attributes', undefined],
    ['with attributes', { team: 'water', retryOf: 'nonsense' }],
  ])('%s makes the same record in each envelope', async (name, attributes) => {
    const records = [];
    for (const [form] of forms({}, undefined)) {
      // A separate job for each form: a second delivery of the same job would find the first one's record.
      const job = smallJob({ jobKey: `envelope/${name}/${form}` });
      const [, body, headers] = forms(job, attributes).find(([other]) => other === form) ?? [];
      const response = await post(submit.url, body ?? '', headers);
      expect(response.status).toBe(204);
      const record = await rig.recordOf(`envelope/${name}/${form}`);
      // A finding says that the jobs before it have the same file name.
      const {
        jobKey,
        requestId,
        description,
        messageId,
        operation,
        findings: _findings,
        ...same
      } = {
        operation: '',
        ...record,
      };
      expect(messageId).toMatch(/^hostile-/);
      expect(description).toBe(`small_${requestId}`);
      expect(operation).toMatch(/^projects\/.*\/operations\//);
      expect(jobKey).toContain(form);
      records.push(withoutTimes(same));
    }
    expect(records[1]).toEqual(records[0]);
    expect(records[2]).toEqual(records[0]);
  });

  it('delivered in all three envelopes makes one job', async () => {
    const before = rig.simulator.operations().length;
    for (const [, body, headers] of forms(smallJob({ jobKey: 'envelope/one' }), undefined)) {
      expect((await post(submit.url, body, headers)).status).toBe(204);
    }
    expect(rig.simulator.operations()).toHaveLength(before + 1);
  });
});

/** A record without times, which differ from run to run. */
const withoutTimes = (record: object): unknown =>
  JSON.parse(JSON.stringify(record, (name, value: unknown) => (/At$|^at$/.test(name) ? 'time' : value)));

const deep = (levels: number): string => '['.repeat(levels) + ']'.repeat(levels);
const withExpression = (expression: unknown): object => smallJob({}, { expression });
const cyclic = {
  result: '0',
  values: { '0': { arrayValue: { values: [{ valueReference: '0' }] } } },
};
const destination = (fileExportOptions: object): object => smallJob({}, { fileExportOptions });
const drive = { fileFormat: 'MP4', driveDestination: { folder: 'videos', filenamePrefix: 'small' } };
const storage = { bucket: 'my-bucket', filenamePrefix: 'small' };

/** The problem, the message, the recorded reason, and the path of the issue. */
const hostile: readonly (readonly [string, object, string, RegExp])[] = [
  ['no data', {}, 'INVALID_DATA', /^data$/],
  ['attributes alone', { attributes: { a: 'b' } }, 'INVALID_DATA', /^data$/],
  ['data that is not base64', { data: '{"jobKey":"x"}' }, 'INVALID_DATA', /^data$/],
  ['data that is not text', { data: { a: 1 } }, 'INVALID_DATA', /^data$/],
  ['bad JSON', { data: base64('{"jobKey":') }, 'INVALID_DATA', /^data$/],
  ['bad UTF-8', { data: Buffer.from([0x22, 0xff, 0xfe, 0x22]).toString('base64') }, 'INVALID_DATA', /^data$/],
  ['20 MB', { data: base64(smallJob({ labels: { x: 'x'.repeat(20_000_000) } })) }, 'INVALID_JOB', /labels/],
  ['20 MB that is not JSON', { data: base64('x'.repeat(20_000_000)) }, 'INVALID_DATA', /^data$/],
  ['a constant of empty arrays', { data: base64(emptyArrays(3_000_000)) }, 'INVALID_DATA', /^data$/],
  ['deep nesting', { data: base64(deep(10_000)) }, 'INVALID_JOB', /^$|^data|message/],
  [
    'a deep graph',
    { data: base64(JSON.stringify(withExpression('GRAPH')).replace('"GRAPH"', deepGraph(10_000))) },
    'INVALID_JOB',
    /^request\.expression/,
  ],
  ['a cyclic graph', { data: base64(withExpression(cyclic)) }, 'INVALID_JOB', /^request\.expression/],
  ['__proto__', { data: base64('{"__proto__":{"admin":true},"request":{}}') }, 'INVALID_JOB', /./],
  [
    '__proto__ in the graph',
    { data: base64(`{"request":{"expression":{"result":"__proto__","values":{"__proto__":{}}}}}`) },
    'INVALID_JOB',
    /^request/,
  ],
  ['an unknown field', { data: base64(smallJob({ surprise: 1 })) }, 'INVALID_JOB', /surprise/],
  [
    'two destinations',
    { data: base64(destination({ ...drive, cloudStorageDestination: storage })) },
    'INVALID_JOB',
    /^request\.fileExportOptions/,
  ],
  [
    'a project that is not allowed',
    { data: base64(smallJob({ project: 'other-project' })) },
    'INVALID_JOB',
    /^project$/,
  ],
  [
    'a bucket that is not allowed',
    {
      data: base64(
        destination({ fileFormat: 'MP4', cloudStorageDestination: { ...storage, bucket: 'secret' } }),
      ),
    },
    'INVALID_JOB',
    /^request\.fileExportOptions/,
  ],
  ['Drive', { data: base64(destination(drive)) }, 'INVALID_JOB', /^request\.fileExportOptions/],
  [
    'reserved and huge attributes',
    {
      attributes: {
        __name__: 'reserved',
        '': 'empty',
        ['long'.repeat(2000)]: 'x'.repeat(100_000),
        ...Object.fromEntries(Array.from({ length: 1000 }, (_, n) => [`attribute-${n}`, 'x'.repeat(1000)])),
      },
    },
    'INVALID_DATA',
    /^data$/,
  ],
  [
    'attributes of many bytes, and half surrogate pairs',
    { attributes: { ['日'.repeat(1000)]: '日'.repeat(5000), '\ud800': '\ud800' } },
    'INVALID_DATA',
    /^data$/,
  ],
  [
    'a publish time beyond the year 9999',
    { attributes: { originalPublishTime: '+020000-01-01T00:00:00Z' } },
    'INVALID_DATA',
    /^data$/,
  ],
  [
    'deeply nested __proto__',
    { data: base64(JSON.stringify(smallJob({ labels: 'NEST' })).replace('"NEST"', nestOf(400_000))) },
    'INVALID_JOB',
    /^labels\[0\].*__proto__$/,
  ],
  [
    'a million CORS addresses',
    {
      data: base64(
        destination({
          fileFormat: 'MP4',
          cloudStorageDestination: { ...storage, bucketCorsUris: Array.from({ length: 1_000_000 }, () => 1) },
        }),
      ),
    },
    'INVALID_JOB',
    /bucketCorsUris$/,
  ],
];

function emptyArrays(count: number): string {
  const constant = `[${'[],'.repeat(count - 1)}[]]`;
  return JSON.stringify(
    withExpression({ result: '0', values: { '0': { constantValue: 'ARRAYS' } } }),
  ).replace('"ARRAYS"', constant);
}

function nestOf(levels: number): string {
  return `${'['.repeat(levels)}{"__proto__":1}${']'.repeat(levels)}`;
}

function deepGraph(levels: number): string {
  return `{"result":"0","values":{"0":${'{"arrayValue":{"values":['.repeat(levels)}{"constantValue":1}${']}}'.repeat(levels)}}}`;
}

describe('a hostile message', () => {
  let strict: FunctionProcess;
  beforeAll(async () => {
    strict = await rig.start('submitExport', { ALLOWED_DESTINATIONS: 'gs://my-bucket/*' });
    await post(strict.url, pushBody({ data: 'warm-up', messageId: 'warm-up-strict' }));
  });

  it.each(hostile)('with %s is acknowledged and recorded, in time', async (name, content, reason, path) => {
    const messageId = nextMessageId();
    const body = JSON.stringify({ message: { messageId, ...content } });
    const millis = await timed(strict.url, body);
    // Retried once: this machine may have been busy.
    const quickest = millis < ANSWER_LIMIT_MS ? millis : Math.min(millis, await timed(strict.url, body));
    expect(quickest).toBeLessThan(ANSWER_LIMIT_MS);
    const { reason: recorded, issues, data } = await rejectionOf(messageId);
    expect(recorded).toBe(reason);
    expect(issues.map((issue) => issue.path)).toEqual(
      expect.arrayContaining([expect.stringMatching(path) as string]),
    );
    expect(data.length).toBeLessThanOrEqual(8192);

    const next = await post(strict.url, pushBody({ data: smallJob({ jobKey: `after/${name}` }) }));
    expect(next.status).toBe(204);
    expect(await rig.recordOf(`after/${name}`)).toHaveProperty('operation');
  });

  it.each(['a/b', '..', '__id__', 'é'.repeat(2000), '\uD800'])(
    'whose id is %j is recorded',
    async (messageId) => {
      const before = await rejectedCount();
      const response = await post(strict.url, { message: { messageId, data: base64('nonsense') } });
      expect(response.status).toBe(204);
      expect(await rejectedCount()).toBe(before + 1);
    },
  );
});

async function timed(url: string, body: string): Promise<number> {
  const startedAt = performance.now();
  const response = await post(url, body);
  const millis = performance.now() - startedAt;
  expect(response.status).toBe(204);
  expect(await response.text()).toBe('');
  return millis;
}

describe('a request that is not a delivery', () => {
  it.each([
    ['an object', '{}', JSON_TYPE],
    ['a message without an id', '{"message":{"data":"e30="}}', JSON_TYPE],
    ['an array', '[1]', JSON_TYPE],
    ['null', 'null', JSON_TYPE],
    ['bad JSON', '{"message": SECRET', JSON_TYPE],
    ['bad JSON as a CloudEvent', '{"message": SECRET', { 'content-type': 'application/cloudevents+json' }],
    ['text', 'SECRET', { 'content-type': 'text/plain' }],
    ['nothing', '', {}],
    ['bytes', new Uint8Array([0, 255]), { 'content-type': 'application/octet-stream' }],
  ])('such as %s gets a 400, and is not recorded', async (_name, body, headers) => {
    const before = [await recordCount(), await rejectedCount()];
    const response = await post(submit.url, body, headers);
    expect(response.status).toBe(400);
    // Even with NODE_ENV=development, for which Express would return the stack trace.
    expect(await response.text()).not.toMatch(/SECRET|SyntaxError|node_modules|\.js/);
    expect([await recordCount(), await rejectedCount()]).toEqual(before);
  });

  it.each(['GET', 'PUT', 'DELETE'])('such as %s gets a 405', async (method) => {
    const response = await fetch(submit.url, { method });
    expect(response.status).toBe(405);
    expect(response.headers.get('allow')).toBe('POST');
    expect(await response.text()).toBe('');
  });
});
