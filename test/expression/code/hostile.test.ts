import { describe, expect, it } from 'vitest';

import { codeOf } from '../../../shared/expression/code/expression-code.ts';

/** Graphs that stand for far more code than they have nodes, or that nest deeper than the stack. */

type Nodes = Record<string, object>;
const constant = (constantValue: unknown) => ({ constantValue });
const ref = (valueReference: string) => ({ valueReference });
const argument = (argumentReference: string) => ({ argumentReference });
const arrayOf = (values: readonly object[]) => ({ arrayValue: { values } });
const call = (functionName: string, args: object) => ({
  functionInvocationValue: { functionName, arguments: args },
});
const many = <T>(count: number, item: (index: number) => T): T[] =>
  Array.from({ length: count }, (_, index) => item(index));
const mapped = (body: string, names: readonly string[] = ['x']) =>
  call('Collection.map', {
    collection: ref('images'),
    baseAlgorithm: { functionDefinitionValue: { argumentNames: names, body } },
  });
const images = call('ImageCollection.load', { id: constant('A') });
const nested = (levels: number, inner: object): object => {
  let node = inner;
  for (let level = 0; level < levels; level += 1) {
    node = arrayOf([node]);
  }
  return node;
};

/** More lines than nodes that are written, which are at most 50,000, since brackets stand on lines of their own. */
const MAX_LINES = 150_000;

describe('the code of a hostile graph', () => {
  it.each<[string, () => Nodes]>([
    [
      'a chain of 100,000 calls',
      () =>
        Object.fromEntries(
          many(100_000, (n) => [n, n === 99_999 ? images : call('Image.abs', { value: ref(String(n + 1)) })]),
        ),
    ],
    [
      'one function that is used 50,000 times',
      () => ({
        '0': arrayOf(many(50_000, () => mapped('body'))),
        images,
        body: arrayOf(many(100, () => argument('x'))),
      }),
    ],
    [
      'two functions at each of 30 levels',
      () => ({
        '0': mapped('b0'),
        images,
        ...Object.fromEntries(
          many(30, (n) => [
            `b${n}`,
            n === 29 ? argument('x') : arrayOf([mapped(`b${n + 1}`), mapped(`b${n + 1}`)]),
          ]),
        ),
      }),
    ],
    [
      '10,000 functions that use the same 1,000 entries',
      () => ({
        '0': arrayOf(many(10_000, (n) => mapped(`b${n}`))),
        images,
        ...Object.fromEntries(many(10_000, (n) => [`b${n}`, call('Image.abs', { value: ref('s0') })])),
        ...Object.fromEntries(
          many(1000, (n) => {
            const next = ref(`s${n + 1}`);
            return [
              `s${n}`,
              n === 999
                ? call('Image.abs', { value: argument('x') })
                : call('Image.add', { image1: next, image2: next }),
            ];
          }),
        ),
      }),
    ],
    [
      'a function of 50,000 arguments, used one after the other',
      () => ({
        '0': mapped(
          'c0',
          many(50_000, (n) => `a${n}`),
        ),
        images,
        ...Object.fromEntries(
          many(50_000, (n) => [
            `c${n}`,
            n === 49_999 ? argument('a0') : arrayOf([argument(`a${n}`), ref(`c${n + 1}`)]),
          ]),
        ),
      }),
    ],
    [
      '40 functions in each other, each 90 levels deep in its entry',
      () => ({
        '0': nested(90, mapped('b0')),
        images,
        ...Object.fromEntries(
          many(40, (n) => [`b${n}`, nested(90, n === 39 ? argument('x') : mapped(`b${n + 1}`))]),
        ),
      }),
    ],
  ])('is cut: %s', (_name, make) => {
    const { lines } = codeOf({ values: make(), result: '0' }, 72);
    expect(lines.length).toBeLessThan(MAX_LINES);
    expect(lines.some((line) => line.includes('…'))).toBe(true);
  });
});
