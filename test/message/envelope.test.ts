import { describe, expect, it } from 'vitest';

import { type DeliveredRequest, parseEnvelope, readJsonData } from '../../shared/message/envelope.ts';
import { cpuMs } from '../cpu-time.ts';

const base64 = (text: string | Uint8Array) => Buffer.from(text).toString('base64');
const job = { jobKey: 'a/b', request: {} };
const data = base64(JSON.stringify(job));

const push = {
  message: {
    data,
    attributes: { team: 'water' },
    messageId: '1234',
    message_id: '1234',
    publishTime: '2026-11-23T10:00:00.123Z',
    publish_time: '2026-11-23T10:00:00.123Z',
    orderingKey: 'k',
  },
  subscription: 'projects/p/subscriptions/s',
  deliveryAttempt: 3,
};
const event = {
  specversion: '1.0',
  type: 'google.cloud.pubsub.topic.v1.messagePublished',
  source: '//x',
  id: '99',
};
const ceHeaders = { 'ce-specversion': '1.0', 'ce-id': '99', 'ce-type': event.type, 'ce-source': '//x' };

const forms: [string, (body: object) => DeliveredRequest][] = [
  ['a push', (body) => ({ headers: { 'content-type': 'application/json' }, body })],
  ['a push that was not parsed', (body) => ({ headers: {}, body: Buffer.from(JSON.stringify(body)) })],
  ['a push as text', (body) => ({ headers: {}, body: JSON.stringify(body) })],
  ['a binary CloudEvent', (body) => ({ headers: ceHeaders, body })],
  [
    'a structured CloudEvent',
    (body) => ({
      headers: { 'content-type': 'application/cloudevents+json' },
      body: { ...event, datacontenttype: 'application/json', data: body },
    }),
  ],
  [
    'a structured CloudEvent that was not parsed',
    (body) => ({
      headers: { 'content-type': 'application/cloudevents+json' },
      ...rawOf({ ...event, data: body }),
    }),
  ],
  [
    'a structured CloudEvent with base64',
    (body) => ({
      headers: { 'content-type': 'application/cloudevents+json; charset=utf-8' },
      body: { ...event, data_base64: base64(JSON.stringify(body)) },
    }),
  ],
];

function rawOf(body: object): { body: Uint8Array; rawBody: Uint8Array } {
  const bytes = Buffer.from(JSON.stringify(body));
  return { body: bytes, rawBody: bytes };
}

describe.each(forms)('%s', (_, deliver) => {
  it('is read', () => {
    expect(parseEnvelope(deliver(push))).toEqual({
      messageId: '1234',
      publishTime: new Date('2026-11-23T10:00:00.123Z'),
      attributes: { team: 'water' },
      subscription: 'projects/p/subscriptions/s',
      deliveryAttempt: 3,
      data: Buffer.from(JSON.stringify(job)),
      problem: undefined,
    });
  });

  it('needs only a message id', () => {
    const envelope = parseEnvelope(deliver({ message: { data, messageId: '1' } }));
    expect(envelope).toMatchObject({ messageId: '1', attributes: {}, publishTime: undefined });
    expect(envelope && readJsonData(envelope)).toEqual({ json: job });
  });

  it('keeps a message without data', () => {
    const envelope = parseEnvelope(deliver({ message: { attributes: { a: 'b' }, messageId: '1' } }));
    expect(envelope).toMatchObject({
      messageId: '1',
      problem: { path: 'data', message: 'is missing; allowed: JSON in UTF-8' },
    });
  });

  it('is not an envelope without a message', () => {
    for (const body of [{}, { message: null }, { message: 'x' }, { message: [] }, { a: 1 }]) {
      expect(parseEnvelope(deliver(body))).toBeUndefined();
    }
  });
});

const inPush = (message: object) =>
  parseEnvelope({ headers: {}, body: { message: { messageId: '1', ...message } } });
const issueOf = (message: object) => {
  const envelope = inPush(message);
  const read = envelope && readJsonData(envelope);
  return read && 'issues' in read ? read.issues : undefined;
};

describe('the data', () => {
  it.each<[string, unknown]>([
    ['not base64', '{"jobKey": "a"}'],
    ['base64 with a stray character', `${data.slice(0, 8)}*${data.slice(8)}`],
    ['base64 with line breaks', `${data.slice(0, 8)}\n${data.slice(8)}`],
    [
      'of the URL-safe alphabet',
      base64(Uint8Array.of(251, 255, 190))
        .replaceAll('+', '-')
        .replaceAll('/', '_'),
    ],
    ['truncated within a byte', 'A'],
    ['a number', 7],
    ['an object', { a: 1 }],
  ])('%s is rejected', (_, wrong) => {
    expect(issueOf({ data: wrong })).toMatchObject([
      { path: 'data', message: expect.stringContaining('base64') as string },
    ]);
  });

  it('is kept unchanged if it is not base64', () => {
    expect(inPush({ data: '{"a": 1}' })?.data).toEqual(Buffer.from('{"a": 1}'));
  });

  it('may omit the padding', () => {
    expect(data.endsWith('=') || base64(`${JSON.stringify(job)} `).endsWith('=')).toBe(true);
    for (const text of [JSON.stringify(job), `${JSON.stringify(job)} `, `${JSON.stringify(job)}  `]) {
      expect(issueOf({ data: base64(text).replace(/=+$/, '') })).toBeUndefined();
    }
  });

  it.each<[string, Uint8Array | string, string]>([
    ['not UTF-8', Uint8Array.of(0x7b, 0xff, 0x7d), 'not UTF-8'],
    ['half a surrogate pair as bytes', Uint8Array.of(0x22, 0xed, 0xa0, 0x80, 0x22), 'not UTF-8'],
    ['not JSON', '{"a": ', 'not JSON'],
    ['white space only', ' ', 'not JSON'],
  ])('that is %s is rejected', (_, bytes, message) => {
    expect(issueOf({ data: base64(bytes) })).toMatchObject([
      { path: 'data', message: expect.stringContaining(message) as string },
    ]);
  });

  it.each([[undefined], [null], ['']])('%j counts as missing', (none) => {
    expect(issueOf({ data: none })).toMatchObject([{ message: 'is missing; allowed: JSON in UTF-8' }]);
  });

  it.each([
    ['empty arrays', '[]'],
    ['empty objects', '{}'],
    ['arrays with spaces', '[ ]'],
    ['objects with brackets in text', '{"\\"[{":"\\\\"}'],
  ])('may have a million objects and arrays, but no more: %s', (_, item) => {
    const array = (items: number) => base64(`[${Array(items).fill(item).join()}]`);
    expect(issueOf({ data: array(999_999) })).toBeUndefined();
    expect(issueOf({ data: array(1_000_000) })).toEqual([
      { path: 'data', message: 'has more than 1000000 objects and arrays; allowed: at most 1000000' },
    ]);
  });

  it('that is nested a million times is rejected', () => {
    expect(issueOf({ data: base64('['.repeat(2_000_000)) })).toMatchObject([
      { message: expect.stringContaining('objects and arrays') as string },
    ]);
  });

  it('may have any number of brackets in text', () => {
    expect(issueOf({ data: base64(JSON.stringify('[{'.repeat(2_000_000))) })).toBeUndefined();
  });

  it('may have 20 MB, which are read quickly', () => {
    const start = cpuMs();
    const envelope = inPush({ data: base64(JSON.stringify({ x: 'y'.repeat(20_000_000) })) });
    expect(envelope && readJsonData(envelope)).toHaveProperty('json');
    expect(cpuMs() - start).toBeLessThan(2_000);
  });
});

describe('the message id', () => {
  it.each([['a/b'], ['.'], ['..'], ['__name__'], ['x'.repeat(1501)], ['é'.repeat(800)], ['\ud800']])(
    'is hashed if it cannot be the id of a document: %s',
    (messageId) => {
      const envelope = inPush({ data, messageId });
      expect(envelope?.messageId).toMatch(/^sha256-[0-9a-f]{64}$/);
      expect(inPush({ data, messageId })?.messageId).toBe(envelope?.messageId);
    },
  );

  it('may be in message_id, or be the id of the event', () => {
    expect(parseEnvelope({ headers: {}, body: { message: { data, message_id: '7' } } })?.messageId).toBe('7');
    expect(parseEnvelope({ headers: ceHeaders, body: { message: { data } } })?.messageId).toBe('99');
    expect(parseEnvelope({ headers: {}, body: { ...event, data: { message: { data } } } })?.messageId).toBe(
      '99',
    );
    expect(parseEnvelope({ headers: {}, body: { message: { data } } })).toBeUndefined();
  });
});

describe('an envelope', () => {
  it('is read loosely', () => {
    const odd = { data, attributes: { a: 1, b: 'c' }, publishTime: 'yesterday', future: true };
    expect(
      parseEnvelope({
        headers: {},
        body: { message: { ...odd, messageId: '1' }, deliveryAttempt: 'x', more: 1 },
      }),
    ).toMatchObject({ attributes: { b: 'c' }, publishTime: undefined, deliveryAttempt: undefined });
    expect(inPush({ data, attributes: 'none' })?.attributes).toEqual({});
  });

  it('of a replayed message has the time when the original was published', () => {
    const originalPublishTime = '2026-11-20T09:00:00Z';
    const envelope = inPush({
      data,
      publishTime: '2026-11-23T11:00:00Z',
      attributes: { originalPublishTime },
    });
    expect(envelope?.publishTime).toEqual(new Date(originalPublishTime));
  });

  it.each([
    ['+020000-01-01T00:00:00Z'],
    ['+275760-09-13T00:00:00Z'],
    ['-000001-01-01T00:00:00Z'],
    ['0000-12-31T23:59:59Z'],
  ])('ignores a publish time that cannot be stored: %s', (time) => {
    const publishTime = '2026-11-23T11:00:00Z';
    const envelope = inPush({ data, publishTime, attributes: { originalPublishTime: time } });
    expect(envelope?.publishTime).toEqual(new Date(publishTime));
    expect(inPush({ data, publishTime: time })?.publishTime).toBeUndefined();
  });

  it.each<[string, unknown]>([
    ['nothing', undefined],
    ['null', null],
    ['a number', 3],
    ['text that is not JSON', 'hello'],
    ['bytes that are not UTF-8', Uint8Array.of(0xff)],
    ['an array', [push]],
    ['an event without data', event],
  ])('is not %s', (_, body) => {
    expect(parseEnvelope({ headers: {}, body })).toBeUndefined();
    expect(parseEnvelope({ headers: ceHeaders, body })).toBeUndefined();
  });
});
