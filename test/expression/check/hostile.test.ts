import { describe, expect, it } from 'vitest';

import { checkVideo } from '../../../shared/expression/check/check-video.ts';
import { cpuMs } from '../../cpu-time.ts';

const constant = (constantValue: unknown) => ({ constantValue });
const reference = (valueReference: string) => ({ valueReference });
const call = (functionName: string, args: object) => ({
  functionInvocationValue: { functionName, arguments: args },
});
const mapped = (body: string, name = 'x') =>
  call('Collection.map', {
    collection: reference('images'),
    baseAlgorithm: { functionDefinitionValue: { argumentNames: [name], body } },
  });
const argument = (argumentReference: string) => ({ argumentReference });
const images = call('ImageCollection.load', { id: constant('A') });
const many = <T>(count: number, item: (index: number) => T): T[] =>
  Array.from({ length: count }, (_, index) => item(index));
const arrayOf = (values: readonly object[]) => ({ arrayValue: { values } });

/** A few seconds on a busy machine; a cost that grows with the square of the size would take hours. */
const LIMIT_MS = 10_000;

const graphs: readonly [string, () => Record<string, object>][] = [
  [
    'a chain of 100,000 references, each used twice',
    () =>
      Object.fromEntries(
        many(100_000, (n) => [
          n,
          n === 99_999
            ? call('Image.load', { id: constant('A') })
            : call('Image.add', { image1: reference(String(n + 1)), image2: reference(String(n + 1)) }),
        ]),
      ),
  ],
  [
    'one function that is called 50,000 times',
    () => ({
      '0': arrayOf(many(50_000, () => mapped('body'))),
      images,
      body: call('Image.select', { input: argument('x'), bandSelectors: constant(['a']) }),
    }),
  ],
  [
    '40,000 functions in each other',
    () => ({
      '0': mapped('body0', 'y'),
      images,
      ...Object.fromEntries(
        many(40_000, (n) => [`body${n}`, n === 39_999 ? argument('x0') : mapped(`body${n + 1}`, `x${n}`)]),
      ),
    }),
  ],
  [
    '2,000 entries that mean something else in each of 20,000 functions',
    () => ({
      '0': arrayOf(many(20_000, (n) => mapped(`body${n}`))),
      images,
      ...Object.fromEntries(many(20_000, (n) => [`body${n}`, call('Image.abs', { value: reference('s0') })])),
      ...Object.fromEntries(
        many(2000, (n) => [
          `s${n}`,
          n === 1999
            ? call('Image.abs', { value: argument('x') })
            : call('Image.add', { image1: reference(`s${n + 1}`), image2: reference(`s${n + 1}`) }),
        ]),
      ),
    }),
  ],
  ['100,000 unknown algorithms', () => ({ '0': arrayOf(many(100_000, (n) => call(`Image.nope${n}`, {}))) })],
  [
    'an error in each of 100,000 calls',
    () => ({ '0': arrayOf(many(100_000, () => call('Image.visualize', { foo: constant(1) }))) }),
  ],
  [
    'a polygon of 300,000 points in 20,000 calls',
    () => ({
      '0': arrayOf(
        many(20_000, () =>
          call('Image.clipToBoundsAndScale', {
            input: reference('image'),
            geometry: reference('region'),
            scale: constant(30),
          }),
        ),
      ),
      image: call('Image.load', { id: constant('A') }),
      region: call('GeometryConstructors.Polygon', {
        coordinates: constant([many(300_000, (n) => [n % 170, n % 80])]),
      }),
    }),
  ],
];

describe('a hostile graph of about 10 MB', () => {
  it.each(graphs)('is checked in bounded time, with few findings: %s', (_name, make) => {
    const values = make();
    const start = cpuMs();
    const findings = checkVideo({ expression: { values, result: '0' } });
    expect(cpuMs() - start).toBeLessThan(LIMIT_MS);
    expect(findings.length).toBeLessThanOrEqual(50);
  });
});
