import { readFileSync } from 'node:fs';

import { describe, expect, it } from 'vitest';

import { createSimulator, simulatorFetch } from '../../../../infra/local/simulator/index.ts';
import { exportRequest } from './requests.ts';

async function answerTo(body: Uint8Array<ArrayBuffer>): Promise<{ status: number; message: string }> {
  const response = await simulatorFetch(createSimulator())('http://simulator/v1/projects/p/video:export', {
    method: 'POST',
    body,
  });
  const json = (await response.json()) as { error?: { message: string } };
  return { status: response.status, message: json.error?.message ?? '' };
}

const storage = { bucket: 'my-bucket', filenamePrefix: 'a/b' };
const constant = { constantValue: 1 };
const graph = (values: object, result: unknown = '0') => ({ expression: { values, result } });
const invoke = (fields: object) => graph({ '0': { functionInvocationValue: fields }, f: constant });
const define = (argumentNames: string[], body: string) => ({
  functionDefinitionValue: { argumentNames, body },
});

function nested(levels: number): object {
  let node: object = constant;
  for (let level = 1; level < levels; level++) {
    node = { arrayValue: { values: [node] } };
  }
  return node;
}

function chain(length: number): object {
  const links = Array.from({ length }, (_, n) => [
    `${n}`,
    n + 1 < length ? { valueReference: `${n + 1}` } : constant,
  ]);
  return Object.fromEntries(links) as object;
}

describe('a request that Earth Engine accepts', () => {
  it.each([
    [
      'as JavaScript writes numbers',
      { priority: 7, videoOptions: { maxPixelsPerFrame: '100000000', maxFrames: 5 } },
    ],
    [
      'as Python writes numbers',
      { priority: { value: 7 }, videoOptions: { maxPixelsPerFrame: { value: '10000000' } } },
    ],
    ['to Drive', { fileExportOptions: { fileFormat: 'MP4', driveDestination: { folder: 'videos' } } }],
    ['with a workload tag', { workloadTag: 'weekly-2026_47' }],
    ['with the longest requestId', { requestId: 'a'.repeat(60), description: 'demo' }],
    ['without a description', { description: undefined }],
    ['with a null constant', graph({ '0': { constantValue: null } })],
    [
      'with every kind of constant',
      graph({
        '0': {
          arrayValue: {
            values: [
              { integerValue: '-9007199254740993' },
              { bytesValue: 'QUI=' },
              { dictionaryValue: { values: { a: constant } } },
            ],
          },
        },
      }),
    ],
    [
      'with a function that binds its argument',
      graph({
        '0': { functionInvocationValue: { functionReference: 'f', arguments: { x: constant } } },
        f: define(['x'], 'b'),
        b: { argumentReference: 'x' },
      }),
    ],
    [
      'with an argument of an outer function',
      graph({
        '0': define(['x'], 'i'),
        i: define(['y'], 'b'),
        b: { arrayValue: { values: [{ argumentReference: 'x' }, { argumentReference: 'y' }] } },
      }),
    ],
    [
      'with an unused entry that has a free argument',
      graph({ '0': constant, b: { argumentReference: 'x' } }),
    ],
    ['nested 100 deep', graph({ '0': nested(100) })],
    ['with a chain of 10,000 references', graph(chain(10_000))],
  ])('%s', async (_, change) => {
    expect(await answerTo(exportRequest(change))).toEqual({ status: 200, message: '' });
  });
});

it.each(['landsat-annual-timelapse', 'modis-ndvi-africa', 'python-modis-ndvi-africa', 'sentinel2-cloudfree'])(
  'accepts what an official client sends: %s',
  async (name) => {
    const file = new URL(`../../../fixtures/requests/${name}.json`, import.meta.url);
    expect(await answerTo(new Uint8Array(readFileSync(file)))).toEqual({ status: 200, message: '' });
  },
);

describe('a request that Earth Engine refuses', () => {
  it.each([
    ['an unknown field', { fps: 3 }, 'Unknown name "fps": Cannot find field.'],
    ['an unknown video option', { videoOptions: { fps: 3 } }, `Unknown name "fps" at 'video_options'`],
    ['internal fields', { maxWorkers: { value: 100 } }, 'max_workers can only be set by internal users.'],
    [
      'no destination',
      { fileExportOptions: { fileFormat: 'MP4' } },
      'Exactly one export destination must be specified',
    ],
    [
      'two destinations',
      { fileExportOptions: { fileFormat: 'MP4', driveDestination: {}, cloudStorageDestination: storage } },
      'Exactly one export destination must be specified',
    ],
    ['no file options', { fileExportOptions: undefined }, 'Exactly one export destination must be specified'],
    [
      'another format',
      { fileExportOptions: { fileFormat: 'GIF', cloudStorageDestination: storage } },
      'Unsupported video file format: GIF',
    ],
    [
      'a bucket with gs://',
      { fileExportOptions: { fileFormat: 'MP4', cloudStorageDestination: { bucket: 'gs://x' } } },
      `'bucket'`,
    ],
    [
      'unknown permissions',
      {
        fileExportOptions: { fileFormat: 'MP4', cloudStorageDestination: { ...storage, permissions: 'ALL' } },
      },
      `'permissions'`,
    ],
    ['too many frames per second', { videoOptions: { framesPerSecond: 121 } }, 'frames_per_second'],
    ['too few frames per second', { videoOptions: { framesPerSecond: 0.05 } }, 'frames_per_second'],
    ['a priority that is too high', { priority: 10_000 }, `'priority'`],
    ['a requestId with an underscore', { requestId: 'a_b', description: 'demo' }, `'requestId'`],
    ['a requestId that is too long', { requestId: 'a'.repeat(61), description: 'demo' }, `'requestId'`],
    ['a description with a space', { description: 'las vegas' }, `'description'`],
    ['a description that is too long', { description: 'a'.repeat(101) }, `'description'`],
    ['a workload tag with a capital letter', { workloadTag: 'Weekly' }, `'workloadTag'`],
    ['no expression', { expression: undefined }, `Invalid value at 'expression' (type.googleapis.com`],
    ['a missing result', graph({ '0': constant }, '1'), `result '1'`],
    ['a reference to a missing value', graph({ '0': { valueReference: '9' } }), `'9', which does not exist`],
    ['a reference to a missing function', invoke({ functionReference: '9' }), `'9', which does not exist`],
    ['a missing body', graph({ '0': define([], '9') }), `'9', which does not exist`],
    [
      'a cycle',
      graph({ '0': { valueReference: '1' }, '1': { arrayValue: { values: [{ valueReference: '0' }] } } }),
      'cycle',
    ],
    ['a reference to itself', graph({ '0': { valueReference: '0' } }), 'cycle'],
    ['a recursive function', graph({ '0': define([], '0') }), 'cycle'],
    ['a free argument', graph({ '0': { argumentReference: 'x' } }), `'x' is not bound`],
    [
      'an argument used outside its function',
      graph({
        '0': { arrayValue: { values: [define(['x'], 'b'), { valueReference: 'b' }] } },
        b: { argumentReference: 'x' },
      }),
      `'x' is not bound`,
    ],
    ['two kinds in one node', graph({ '0': { constantValue: 1, integerValue: '1' } }), 'exactly one kind'],
    ['no kind in a node', graph({ '0': {} }), 'exactly one kind'],
    ['an unknown kind', graph({ '0': { floatValue: 1 } }), 'exactly one kind'],
    [
      'a function with two sources',
      invoke({ functionName: 'f', functionReference: 'f' }),
      'either functionName or functionReference',
    ],
    ['a function without a source', invoke({ arguments: {} }), 'either functionName or functionReference'],
    ['an integer as a number', graph({ '0': { integerValue: 1 } }), `'integerValue'`],
    ['nesting of 101', graph({ '0': nested(101) }), 'nested too deeply'],
  ])('%s', async (_, change, message) => {
    const answer = await answerTo(exportRequest(change));
    expect(answer.message).toContain(message);
    expect(answer.status).toBe(400);
  });

  it.each([
    ['invalid JSON', '{"expression"'],
    ['a list', '[]'],
    ['nothing', ''],
    ['a prototype', '{"__proto__":{}}'],
  ])('%s', async (_, text) => {
    const answer = await answerTo(new TextEncoder().encode(text));
    expect(answer).toMatchObject({
      status: 400,
      message: expect.stringContaining('Invalid JSON payload') as string,
    });
  });

  it('more than 10 MB', async () => {
    const padded = exportRequest(graph({ '0': { constantValue: 'x'.repeat(10_485_760) } }));
    expect(await answerTo(padded)).toEqual({
      status: 400,
      message: 'Request payload size exceeds the limit: 10485760 bytes.',
    });
  });
});
