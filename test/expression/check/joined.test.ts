import { describe, expect, it } from 'vitest';

import { checkVideo } from '../../../shared/expression/check/check-video.ts';

/** What is known of something that may be one thing or another, or means something else at each place: only what is certain. */

type Node = Record<string, unknown>;
const constant = (constantValue: unknown): Node => ({ constantValue });
const ref = (valueReference: string): Node => ({ valueReference });
const call = (functionName: string, args: Record<string, Node>): Node => ({
  functionInvocationValue: { functionName, arguments: args },
});
const mapped = (collection: Node, body: string): Node =>
  call('Collection.map', {
    collection,
    baseAlgorithm: { functionDefinitionValue: { argumentNames: ['x'], body } },
  });
const collectionOf = (...images: Node[]): Node =>
  call('ImageCollection.fromImages', { images: { arrayValue: { values: images } } });
const scene = call('Image.load', { id: constant('A') });
const gray = call('Image.visualize', { image: scene, bands: constant(['a']) });
const rgb = call('Image.visualize', { image: scene, bands: constant(['a', 'b', 'c']) });
const x: Node = { argumentReference: 'x' };

const errorsOf = (values: Record<string, Node>): string[] =>
  checkVideo({ expression: { values, result: 'result' } }).flatMap(({ code, severity }) =>
    severity === 'ERROR' ? [code] : [],
  );

describe('no error is certain', () => {
  it.each<[string, Record<string, Node>]>([
    [
      'if a condition decides between a gray image and an RGB image',
      {
        result: collectionOf(call('If', { condition: scene, trueCase: gray, falseCase: rgb })),
      },
    ],
    [
      'if a condition decides between a number and an image',
      {
        result: collectionOf(call('If', { condition: scene, trueCase: constant(1), falseCase: rgb })),
      },
    ],
    [
      'if rounds of a loop start with a gray image and add bands',
      {
        result: collectionOf(
          call('Collection.iterate', {
            collection: call('ImageCollection.load', { id: constant('A') }),
            function: { functionDefinitionValue: { argumentNames: ['x', 'state'], body: 'round' } },
            first: gray,
          }),
        ),
        round: call('Image.addBands', { dstImg: { argumentReference: 'state' }, srcImg: x }),
      },
    ],
    ['if the result is not known', { result: call('List.get', { list: constant([]), index: constant(0) }) }],
    [
      'if the palette of one band is not known',
      {
        result: collectionOf(
          call('Image.visualize', {
            image: scene,
            bands: constant(['a']),
            palette: call('List.get', { list: constant([]), index: constant(0) }),
          }),
        ),
      },
    ],
    [
      'if two functions share an entry that uses their argument',
      {
        result: call('Collection.merge', {
          collection1: call('Collection.limit', {
            collection: mapped(collectionOf(gray), 'one'),
            limit: constant(0),
          }),
          collection2: mapped(collectionOf(rgb), 'two'),
        }),
        one: ref('shared'),
        two: ref('shared'),
        shared: call('Image.selfMask', { image: x }),
      },
    ],
  ])('%s', (_name, values) => {
    expect(errorsOf(values)).toEqual([]);
  });

  it('has a control: each of these graphs with a gray image alone has an error', () => {
    const alone = call('If', { condition: scene, trueCase: gray, falseCase: gray });
    expect(errorsOf({ result: collectionOf(alone) })).toEqual(['NOT_THREE_BANDS']);
    const shared = { one: ref('shared'), shared: call('Image.selfMask', { image: x }) };
    expect(errorsOf({ result: mapped(collectionOf(gray), 'one'), ...shared })).toEqual(['NOT_THREE_BANDS']);
  });
});
