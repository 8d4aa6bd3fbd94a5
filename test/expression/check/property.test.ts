import * as fc from 'fast-check';
import { expect, it } from 'vitest';

import { checkVideo, type CheckedRequest } from '../../../shared/expression/check/check-video.ts';
import type { PlacedFinding } from '../../../shared/expression/check/report.ts';
import {
  algorithmNames,
  type Argument,
  type Signature,
  signatureOf,
} from '../../../shared/expression/check/signatures.ts';

/* Random well-typed graphs, made from the signatures of all algorithms: an oracle that knows nothing of the checker's rules. */

type Node = Record<string, unknown>;
interface Call {
  readonly functionInvocationValue: { functionName: string; arguments: Record<string, Node> };
}

const signatures = algorithmNames().flatMap((name): Signature[] => {
  const signature = signatureOf(name);
  return signature ? [signature] : [];
});
const returning = (type: string): readonly Signature[] =>
  signatures.filter(({ returns }) => returns.split('<')[0] === type);

const constant = (constantValue: unknown): Node => ({ constantValue });
const call = (functionName: string, args: Record<string, Node> = {}): Node & Call => ({
  functionInvocationValue: { functionName, arguments: args },
});

/** Algorithms that take few arguments, so that every type has a small value. */
const makers = new Map(
  [...new Set(signatures.flatMap(({ args }) => [...args.values()].map(({ outer }) => outer)))].map((type) => [
    type,
    returning(type)
      .filter(({ required }) => required.length <= 2)
      .slice(0, 30),
  ]),
);

interface Dice {
  below(limit: number): number;
}

/** A value of a declared type, of at most `depth` calls in each other. */
function valueOf(
  { type, outer, items }: Pick<Argument, 'type' | 'outer' | 'items'>,
  dice: Dice,
  depth: number,
): Node {
  switch (outer) {
    case 'Number':
    case 'Float':
      return constant(dice.below(100) / 4);
    case 'Integer':
    case 'Long':
      return constant(dice.below(100));
    case 'String':
      return constant('text');
    case 'Boolean':
      return constant(dice.below(2) === 0);
    case 'Object':
      return constant(['a', 1, true][dice.below(3)]);
    case 'Dictionary':
      return constant({});
    case 'List': {
      const item = items === undefined ? { type: 'Object', outer: 'Object', items: undefined } : typed(items);
      const values = Array.from({ length: dice.below(3) }, () => valueOf(item, dice, depth - 1));
      return { arrayValue: { values } };
    }
    case 'Algorithm':
      return { functionDefinitionValue: { argumentNames: ['x', 'y'], body: 'body' } };
    case 'Image':
      return depth <= 0 ? call('Image.load', { id: constant('A') }) : madeOf(type, dice, depth);
    case 'ImageCollection':
    case 'FeatureCollection':
      return depth <= 0 ? call('ImageCollection.load', { id: constant('A') }) : madeOf(type, dice, depth);
    case 'Element':
      return depth <= 0 ? call('Image.load', { id: constant('A') }) : madeOf('Image', dice, depth);
    case 'Geometry':
    case 'Rectangle':
      return call('GeometryConstructors.Point', { coordinates: constant([1, 2]) });
    case 'Date':
      return call('Date', { value: constant('2020-01-01') });
    default:
      return madeOf(outer, dice, depth);
  }
}

const typed = (outer: string) => ({ type: outer, outer, items: undefined });

function madeOf(type: string, dice: Dice, depth: number): Node {
  const all = makers.get(type) ?? [];
  const usable = depth > 0 ? all : all.filter(({ required }) => required.length === 0);
  const signature = (usable.length > 0 ? usable : all)[dice.below((usable.length > 0 ? usable : all).length)];
  return signature ? callOf(signature, dice, depth - 1) : constant(null);
}

function callOf({ name, args }: Signature, dice: Dice, depth: number): Node & Call {
  const given = [...args.values()].filter(({ optional }) => !optional || dice.below(4) === 0);
  return call(
    name,
    Object.fromEntries(given.map((argument) => [argument.name, valueOf(argument, dice, depth)])),
  );
}

const diceOf = (numbers: readonly number[]): Dice => {
  let next = 0;
  return {
    below: (limit) => {
      const number = numbers[next % numbers.length] ?? 0;
      next += 1;
      return limit === 0 ? 0 : (number + next) % limit;
    },
  };
};

/** An image collection of three visualized bands that uses a random well-typed image, and that image's root. */
function graphOf(numbers: readonly number[]) {
  const dice = diceOf(numbers);
  const images = returning('Image');
  const signature = images[dice.below(images.length)] as Signature;
  const root = callOf(signature, dice, 2);
  const expression = {
    result: 'frames',
    values: {
      body: { argumentReference: 'x' },
      image: root,
      frames: call('ImageCollection.fromImages', {
        images: {
          arrayValue: {
            values: [
              call('Image.visualize', {
                image: { valueReference: 'image' },
                bands: constant(['a', 'b', 'c']),
              }),
            ],
          },
        },
      }),
    },
  };
  return { expression, root, signature, dice };
}

const errorsOf = (expression: object, videoOptions: CheckedRequest['videoOptions'] = {}): PlacedFinding[] =>
  checkVideo({ expression, videoOptions }).filter(({ severity }) => severity === 'ERROR');

const numbers = fc.array(fc.nat(1_000_000), { minLength: 20, maxLength: 60 });

it('a random well-typed graph has no error', () => {
  fc.assert(
    fc.property(numbers, (seed) => {
      expect(errorsOf(graphOf(seed).expression)).toEqual([]);
    }),
    { numRuns: 700 },
  );
});

const at = (name: string): RegExp =>
  new RegExp(`^request\\.expression\\.values\\.image\\.functionInvocationValue\\.arguments\\.${name}$`);

it('after one argument is left out, misspelled, or of an impossible type, there is an error at it', () => {
  fc.assert(
    fc.property(numbers, fc.nat(2), (seed, kind) => {
      const { expression, root, signature, dice } = graphOf(seed);
      fc.pre(signature.required.length > 0);
      const args = root.functionInvocationValue.arguments;
      const name = signature.required[dice.below(signature.required.length)] ?? '';
      const { outer } = signature.args.get(name) as Argument;
      if (kind === 0) {
        Reflect.deleteProperty(args, name);
        expect(errorsOf(expression)).toMatchObject([
          { code: 'MISSING_ARGUMENT', path: expect.stringMatching(at(name)) },
        ]);
      } else if (kind === 1) {
        args[`${name}Z`] = constant(1);
        expect(errorsOf(expression)).toMatchObject([
          { code: 'UNKNOWN_ARGUMENT', path: expect.stringMatching(at(`${name}Z`)) },
        ]);
      } else {
        fc.pre(
          ['Image', 'ImageCollection', 'Geometry', 'FeatureCollection', 'Float', 'Integer'].includes(outer),
        );
        args[name] = call('Filter.always');
        expect(errorsOf(expression)).toMatchObject([
          { code: 'WRONG_ARGUMENT_TYPE', path: expect.stringMatching(at(name)) },
        ]);
      }
    }),
    { numRuns: 700 },
  );
});

it('after the last step loses bands or 8 bits, or the result is another type, there is an error at it', () => {
  fc.assert(
    fc.property(numbers, fc.nat(3), (seed, kind) => {
      const { expression } = graphOf(seed);
      const values = expression.values as Record<string, Node>;
      const frame = (node: Node) => {
        values['frame'] = node;
        values['frames'] = call('ImageCollection.fromImages', {
          images: { arrayValue: { values: [{ valueReference: 'frame' }] } },
        });
      };
      const image = { valueReference: 'image' };
      if (kind === 0) {
        frame(call('Image.visualize', { image, bands: constant(['a']) }));
      } else if (kind === 1) {
        frame(call('Image.select', { input: image, bandSelectors: constant(['a']) }));
      } else if (kind === 2) {
        frame(
          call('Image.toFloat', {
            value: call('Image.select', { input: image, bandSelectors: constant(['a', 'b', 'c']) }),
          }),
        );
      } else {
        values['frames'] = call('Image.toByte', { value: image });
      }
      expect(errorsOf(expression)).toMatchObject([
        {
          code: ['NOT_THREE_BANDS', 'NOT_THREE_BANDS', 'NOT_8_BIT', 'RESULT_NOT_IMAGE_COLLECTION'][kind],
          path: `request.expression.values.${kind === 3 ? 'frames' : 'frame'}`,
        },
      ]);
    }),
    { numRuns: 500 },
  );
});

const image = { valueReference: 'image' };
const frame = call('Image.visualize', { image, bands: constant(['a', 'b', 'c']) });
const fromImages = (images: Node): Node => call('ImageCollection.fromImages', { images });
const part = { valueReference: 'part' };

/** Ways to make this many frames. The entry `part` decides how many. */
const framesOf: readonly ((count: number) => { readonly part: Node; readonly frames: Node })[] = [
  (count) => ({
    part: call('List.repeat', { value: frame, count: constant(count) }),
    frames: fromImages(part),
  }),
  (count) => ({
    part: call('List.sequence', { start: constant(1), end: constant(count) }),
    frames: fromImages(
      call('List.map', {
        list: part,
        baseAlgorithm: { functionDefinitionValue: { argumentNames: ['x'], body: 'frame' } },
      }),
    ),
  }),
  (count) => ({
    part: { arrayValue: { values: Array.from({ length: count }, () => frame) } },
    frames: fromImages(call('List.reverse', { list: part })),
  }),
  (count) => ({
    part: call('Collection.merge', {
      collection1: fromImages(call('List.repeat', { value: frame, count: constant(count - 1) })),
      collection2: fromImages({ arrayValue: { values: [frame] } }),
    }),
    frames: call('Collection.map', {
      collection: part,
      baseAlgorithm: { functionDefinitionValue: { argumentNames: ['y'], body: 'frame' } },
    }),
  }),
];

it('with one frame more than maxFrames, there is an error at what makes so many; without it, there is none', () => {
  fc.assert(
    fc.property(
      numbers,
      fc.nat(framesOf.length - 1),
      fc.integer({ min: 1, max: 60 }),
      (seed, way, maxFrames) => {
        const { expression } = graphOf(seed);
        const values = expression.values as Record<string, Node>;
        const make = (count: number) => Object.assign(values, { frame }, framesOf[way]?.(count));
        make(maxFrames);
        expect(errorsOf(expression, { maxFrames })).toEqual([]);
        make(maxFrames + 1);
        expect(errorsOf(expression, { maxFrames })).toMatchObject([
          { code: 'TOO_MANY_FRAMES', path: 'request.expression.values.part' },
        ]);
      },
    ),
    { numRuns: 300 },
  );
});

/** Ways to give frames a size. */
const sizesOf: readonly ((width: number, height: number) => Record<string, Node>)[] = [
  (width, height) => ({ width: constant(width), height: constant(height) }),
  (width) => ({ maxDimension: constant(width) }),
];

it('with one pixel more than maxPixelsPerFrame, there is an error at what gives the size; without it, there is none', () => {
  const side = fc.integer({ min: 1, max: 5000 }).map((half) => 2 * half);
  fc.assert(
    fc.property(numbers, fc.nat(sizesOf.length - 1), side, side, (seed, way, width, height) => {
      const { expression } = graphOf(seed);
      const values = expression.values as Record<string, Node>;
      values['part'] = call('Image.clipToBoundsAndScale', {
        input: frame,
        ...sizesOf[way]?.(width, height),
      });
      values['frames'] = fromImages({ arrayValue: { values: [part] } });
      // Of the longer side alone, only one row is certain.
      const pixels = way === 0 ? width * height : width;
      expect(errorsOf(expression, { maxPixelsPerFrame: pixels })).toEqual([]);
      expect(errorsOf(expression, { maxPixelsPerFrame: String(pixels - 1) })).toMatchObject([
        { code: 'TOO_MANY_PIXELS', path: 'request.expression.values.part' },
      ]);
    }),
    { numRuns: 300 },
  );
});
