import { hash } from 'node:crypto';
import { readFileSync } from 'node:fs';

import * as fc from 'fast-check';
import { describe, expect, it } from 'vitest';

import {
  markedDescription,
  nextAttemptId,
  parseRequestId,
  recordIdOf,
  requestIdInDescription,
  requestIdOf,
} from '../../shared/model/ids.ts';
import {
  contentHash,
  differingPaths,
  sentRequest,
  serializeRequest,
  withRequestId,
} from '../../shared/message/identity.ts';
import type { VideoRequest } from '../../shared/model/job.ts';

const file = new URL('../fixtures/requests/landsat-annual-timelapse.json', import.meta.url);
const request = JSON.parse(readFileSync(file, 'utf8')) as VideoRequest;
const id = `ve1-${'a'.repeat(30)}27`;

const attempts = fc.integer({ min: 1, max: 999 });
const generations = fc.integer({ min: 1, max: 9_999 });
const keys = fc.string({ minLength: 1, maxLength: 200 }).filter((text) => text.isWellFormed());

describe('the record id', () => {
  it('is 160 bits of the SHA-256 of {jobKey, project}, in base32', () => {
    const digest = hash('sha256', '{"jobKey":"las-vegas/2020","project":"my-project"}', 'buffer');
    let bits = '';
    for (const byte of digest.subarray(0, 20)) {
      bits += byte.toString(2).padStart(8, '0');
    }
    const text = bits
      .match(/.{5}/g)
      ?.map((five) => 'abcdefghijklmnopqrstuvwxyz234567'[Number.parseInt(five, 2)]);
    const job = { project: 'my-project', jobKey: 'las-vegas/2020' };
    expect(recordIdOf({ ...job, attempt: 1 })).toBe(`ve1-${text?.join('')}`);
    expect(recordIdOf({ ...job, attempt: 12 })).toBe(`ve1-${text?.join('')}-12`);
  });

  // Stored data depends on these: other values would make every old job a new one.
  it.each([
    ['ve1-jmms6hxcoiw4bjwkuw35dclizif4hkpa', { jobKey: 'las-vegas/2020', contentHash: '' }],
    ['ve1-jyesoid3crt5bnyxudz3rozsdjynsrmy', { jobKey: undefined, contentHash: 'a'.repeat(64) }],
  ])('stays the same from version to version: %s', (recordId, job) => {
    expect(recordIdOf({ ...job, project: 'my-project', attempt: 1 })).toBe(recordId);
  });

  it('depends on the project and the content without a jobKey, and on the project and the jobKey with one', () => {
    const job = { project: 'p', jobKey: 'k', attempt: 1 };
    expect(recordIdOf({ ...job, contentHash: 'a' })).toBe(recordIdOf({ ...job, contentHash: 'b' }));
    const unnamed = { project: 'p', jobKey: undefined, attempt: 1 };
    expect(recordIdOf({ ...unnamed, contentHash: 'a' })).not.toBe(
      recordIdOf({ ...unnamed, project: 'q', contentHash: 'a' }),
    );
    expect(recordIdOf({ ...unnamed, contentHash: 'a' })).not.toBe(
      recordIdOf({ ...unnamed, contentHash: 'b' }),
    );
    expect(recordIdOf({ ...unnamed, contentHash: 'k' })).not.toBe(recordIdOf(job));
  });

  it('differs for other projects and keys, whatever characters they have', () => {
    fc.assert(
      fc.property(keys, keys, keys, keys, (project, jobKey, otherProject, otherKey) => {
        const same = project === otherProject && jobKey === otherKey;
        const one = recordIdOf({ project, jobKey, attempt: 1 });
        expect(one === recordIdOf({ project: otherProject, jobKey: otherKey, attempt: 1 })).toBe(same);
      }),
    );
  });

  it('and every requestId made from it are valid for Earth Engine, and are parsed to the same values', () => {
    fc.assert(
      fc.property(keys, attempts, generations, (jobKey, attempt, generation) => {
        const recordId = recordIdOf({ project: 'p', jobKey, attempt });
        const requestId = requestIdOf(recordId, generation);
        expect(requestId).toMatch(/^[a-zA-Z0-9-]{1,60}$/);
        expect(parseRequestId(requestId)).toEqual({ recordId, generation });
      }),
    );
  });

  it.each([
    [''],
    ['ve1-'],
    [`${id}-1`],
    [`${id}-g1`],
    [`${id}-g02`],
    [`${id}-1000`],
    [`${id}x`],
    [`x${id}`],
    [`${id}\n`],
    [id.toUpperCase()],
    [id.replace('27', '18')],
  ])('is not %j', (text) => {
    expect(parseRequestId(text)).toBeUndefined();
  });
});

describe('the next attempt', () => {
  it.each([
    [1, `${id}-2`],
    [9, `${id}-10`],
    [998, `${id}-999`],
    [999, undefined],
  ])('after attempt %i is %s', (attempt, next) => {
    expect(nextAttemptId(attempt > 1 ? `${id}-${attempt}` : id, attempt)).toBe(next);
  });
});

describe('the description', () => {
  it('ends in the requestId, is valid for Earth Engine and has at most 100 characters', () => {
    fc.assert(
      fc.property(
        fc.string({ unit: 'binary', maxLength: 300 }),
        keys,
        attempts,
        generations,
        (text, key, n, g) => {
          const requestId = requestIdOf(recordIdOf({ project: 'p', jobKey: key, attempt: n }), g);
          const marked = markedDescription(text, requestId);
          expect(marked).toMatch(/^[A-Za-z0-9._,:;-]{1,100}$/);
          expect(requestIdInDescription(marked)).toBe(requestId);
        },
      ),
    );
  });

  it.each([
    ['las-vegas', `las-vegas_${id}`],
    ['São Paulo (2020)', `Sao-Paulo--2020-_${id}`],
    ['日本', `--_${id}`],
    ['', id],
    ['x'.repeat(64), `${'x'.repeat(63)}_${id}`],
    [undefined, id],
    [
      `copy of x_${id}`,
      `copy-of-x_${id}_${id}`.slice(0, 100 - id.length - 1).replace(/_?$/, '') && undefined,
    ],
  ])('of %j', (text, expected) => {
    if (expected !== undefined) {
      expect(markedDescription(text, id)).toBe(expected);
    }
    expect(requestIdInDescription(markedDescription(text, id))).toBe(id);
  });

  it('contains a requestId only at its end', () => {
    const other = `ve1-${'b'.repeat(32)}`;
    expect(requestIdInDescription(`x_${other}_${id}`)).toBe(id);
    expect(requestIdInDescription(`x_${id}_more`)).toBeUndefined();
    expect(requestIdInDescription(`x${id}`)).toBeUndefined();
    expect(requestIdInDescription(`x_${id}-2-g3`)).toBe(`${id}-2-g3`);
    expect(requestIdInDescription('another sender')).toBeUndefined();
  });
});

describe('the serialized request', () => {
  it('is the request that was sent, with requestId and marked description', () => {
    const sent: unknown = JSON.parse(Buffer.from(serializeRequest(request, id)).toString());
    expect(sent).toEqual({ ...request, requestId: id, description: `las-vegas-growth_${id}` });
  });

  it('is the same every time', () => {
    expect(serializeRequest(structuredClone(request), id)).toEqual(serializeRequest(request, id));
  });

  it('of another generation differs only in the id', () => {
    const next = requestIdOf(id, 2);
    const renewed = withRequestId(serializeRequest(request, id), next);
    expect(renewed.bytes).toEqual(serializeRequest(request, next));
    expect(renewed.description).toBe(`las-vegas-growth_${next}`);
    const { description: _, ...undescribed } = request;
    expect(withRequestId(serializeRequest(undescribed, id), next).description).toBe(next);
  });
});

describe('the content hash', () => {
  const variant = (changes: Partial<Record<keyof VideoRequest, unknown>>) =>
    ({ ...request, ...changes }) as unknown as VideoRequest;

  it('does not depend on the order of fields', () => {
    const reversed = Object.fromEntries(Object.entries(request).reverse()) as unknown as VideoRequest;
    expect(contentHash(reversed)).toBe(contentHash(request));
  });

  it.each<[string, VideoRequest]>([
    ['request.description', variant({ description: 'another' })],
    ['request.priority', variant({ priority: 100 })],
    ['request.workloadTag', variant({ workloadTag: 'a' })],
    [
      'request.videoOptions.framesPerSecond',
      variant({ videoOptions: { ...request.videoOptions, framesPerSecond: 4 } }),
    ],
    [
      'request.fileExportOptions.cloudStorageDestination.filenamePrefix',
      variant({ fileExportOptions: { fileFormat: 'MP4', cloudStorageDestination: { bucket: 'my-bucket' } } }),
    ],
    ['request.expression', variant({ expression: { values: { a: { constantValue: 1 } }, result: 'a' } })],
  ])('changes with %s, which is reported as the difference', (path, changed) => {
    expect(contentHash(changed)).not.toBe(contentHash(request));
    expect(differingPaths(request, changed)).toEqual([path]);
    expect(differingPaths(sentRequest(changed, id), sentRequest(request, id))).toEqual([path]);
  });

  it('does not change with the spelling of the graph', () => {
    const { values, result } = request.expression;
    const renamed = JSON.stringify({ values, result: `n${result}` })
      .replaceAll(/"(valueReference|body|functionReference)":"(\d+)"/g, '"$1":"n$2"')
      .replaceAll(/"(\d+)":/g, '"n$1":');
    const changed = variant({ expression: JSON.parse(renamed) });
    expect(contentHash(changed)).toBe(contentHash(request));
    expect(differingPaths(request, changed)).toEqual([]);
  });
});
