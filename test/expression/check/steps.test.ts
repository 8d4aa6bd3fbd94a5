import * as fc from 'fast-check';
import { expect, it } from 'vitest';

import { checkVideo, checkVideoInSteps } from '../../../shared/expression/check/check-video.ts';

/* The cost of a check, as its number of steps: unlike time, it is the same on a busy machine. */

type Node = Record<string, unknown>;
const constant = (constantValue: unknown): Node => ({ constantValue });
const ref = (index: number): Node => ({ valueReference: String(index) });
const argument = (index: number): Node => ({ argumentReference: `x${index % 3}` });
const call = (functionName: string, args: Record<string, Node>): Node => ({
  functionInvocationValue: { functionName, arguments: args },
});

/** An entry that refers only to later ones, so that there are no cycles: the reader refuses those. */
type Entry = (later: (number: number) => Node, number: () => number) => Node;

/** A function whose body is a later entry, which may use its argument and those of the functions around. */
const functionOf = (body: Node, number: () => number): Node =>
  'valueReference' in body
    ? { functionDefinitionValue: { argumentNames: [`x${number() % 3}`], body: body['valueReference'] } }
    : body;

const entries: readonly Entry[] = [
  (later, number) => ({ arrayValue: { values: [later(number()), later(number()), later(number())] } }),
  (later, number) => call('Image.add', { image1: later(number()), image2: later(number()) }),
  (later, number) => call('Image.visualize', { image: later(number()), bands: constant(['a']) }),
  (later, number) =>
    call('Collection.map', {
      collection: later(number()),
      baseAlgorithm: functionOf(later(number()), number),
    }),
  (later, number) =>
    call('List.iterate', {
      list: later(number()),
      function: functionOf(later(number()), number),
      first: argument(number()),
    }),
  (_later, number) => argument(number()),
];

/** A graph of this many entries, nearly all of which lead to the last ones by more ways than can be counted. */
function graphOf(count: number, numbers: readonly number[], near: number) {
  let next = 0;
  const number = (): number => {
    next += 1;
    return ((numbers[next % numbers.length] ?? 0) + next * 7919) % 1_000_003;
  };
  const values: Record<string, Node> = {};
  for (let index = 0; index < count; index += 1) {
    const later = (at: number): Node =>
      index === count - 1
        ? constant('A')
        : ref(index + 1 + (at % Math.max(1, Math.min(near, count - 1 - index))));
    const entry = entries[number() % entries.length];
    values[index] = entry?.(later, number) ?? constant(1);
  }
  return { values, result: '0' };
}

/** The steps between two yields. */
const STEPS_PER_YIELD = 2000;

function yieldsOf(expression: object): number {
  const steps = checkVideoInSteps({ expression });
  let yields = 0;
  while (!steps.next().done) {
    yields += 1;
  }
  return yields;
}

const numbers = fc.array(fc.nat(1_000_000), { minLength: 20, maxLength: 60 });

it('a graph whose entries are shared and nested at random is checked in steps in proportion to its size', () => {
  fc.assert(
    fc.property(
      fc.integer({ min: 2, max: 4000 }),
      numbers,
      fc.constantFrom(1, 2, 5, 50, 4000),
      (count, seed, near) => {
        // Each entry five times, and each time at most three steps: one for itself, and one after each of its parts.
        expect(yieldsOf(graphOf(count, seed, near)) * STEPS_PER_YIELD).toBeLessThanOrEqual(
          5 * 3 * count + 40_000,
        );
      },
    ),
    { numRuns: 300 },
  );
});

it('entries that mean something else in each of many functions are looked at a few times each', () => {
  const functions = 400;
  const shared = 400;
  const values: Record<string, Node> = {
    '0': {
      arrayValue: {
        values: Array.from({ length: functions }, (_, n) =>
          call('Collection.map', {
            collection: call('ImageCollection.load', { id: constant('A') }),
            baseAlgorithm: { functionDefinitionValue: { argumentNames: ['x0'], body: `body${n}` } },
          }),
        ),
      },
    },
  };
  for (let n = 0; n < functions; n += 1) {
    values[`body${n}`] = call('Image.abs', { value: { valueReference: 'shared0' } });
  }
  for (let n = 0; n < shared; n += 1) {
    const value = n === shared - 1 ? argument(0) : { valueReference: `shared${n + 1}` };
    values[`shared${n}`] = call('Image.abs', { value });
  }
  const nodes = 3 * functions + 2 * shared;
  // Without a bound, it would be 160,000 entries.
  expect(yieldsOf({ values, result: '0' }) * STEPS_PER_YIELD).toBeLessThanOrEqual(5 * 3 * nodes + 40_000);
});

it('huge counts of frames are finite, and no maxFrames is suggested for them', () => {
  const frames = call('ImageCollection.fromImages', {
    images: call('List.repeat', { value: call('Image.load', { id: constant('A') }), count: constant(1e308) }),
  });
  const values = {
    '0': call('ImageCollection.merge', { collection1: ref(1), collection2: ref(1) }),
    '1': call('ImageCollection.merge', { collection1: frames, collection2: frames }),
  };
  expect(checkVideo({ expression: { values, result: '0' } })).toContainEqual(
    expect.objectContaining({
      code: 'TOO_MANY_FRAMES',
      message: 'the video has at least 9007199254740991 frames; maxFrames is 1000',
      suggestion: 'Make fewer frames.',
    }),
  );
});
