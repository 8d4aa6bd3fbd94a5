import { describe, expect, it } from 'vitest';

import { checkVideo } from '../../../shared/expression/check/check-video.ts';

/** Graphs that would take a careless check minutes, or its stack. Each takes milliseconds, or the test times out. */

type Nodes = Record<string, object>;
const constant = (constantValue: unknown) => ({ constantValue });
const ref = (valueReference: string) => ({ valueReference });
const arrayOf = (...keys: string[]) => ({ arrayValue: { values: keys.map(ref) } });
const call = (functionName: string, args: Nodes) => ({
  functionInvocationValue: { functionName, arguments: args },
});
const names = (prefix: string, count: number) => Array.from({ length: count }, (_, n) => `${prefix}${n}`);

/** The codes of what is found. */
const check = (values: Nodes): string[] =>
  checkVideo({ expression: { values, result: 'result' } }).map(({ code }) => code);

describe('a graph', () => {
  it('can nest lists tens of thousands of times', () => {
    const values: Nodes = { a0: constant(1), b0: constant('b'), result: arrayOf('a30000', 'b30000') };
    for (let n = 1; n <= 30_000; n += 1) {
      values[`a${n}`] = arrayOf(`a${n - 1}`);
      values[`b${n}`] = arrayOf(`b${n - 1}`);
    }
    expect(check(values)).toEqual(['RESULT_NOT_IMAGE_COLLECTION']);
  });

  it('can compare nested lists at each level', () => {
    const levels = 10_000;
    const values: Nodes = { a0: constant(1), b0: constant('b') };
    for (let n = 1; n <= levels; n += 1) {
      values[`a${n}`] = arrayOf(`a${n - 1}`);
      values[`b${n}`] = arrayOf(`b${n - 1}`);
      values[`both${n}`] = arrayOf(`a${n}`, `b${n}`);
    }
    values['result'] = arrayOf(...Array.from({ length: levels }, (_, n) => `both${n + 1}`));
    expect(check(values)).toEqual(['RESULT_NOT_IMAGE_COLLECTION']);
  });

  it('can have coordinates that double at each of 27 levels', () => {
    const values: Nodes = { c0: constant([0, 0]) };
    for (let n = 1; n <= 27; n += 1) {
      values[`c${n}`] = arrayOf(`c${n - 1}`, `c${n - 1}`);
    }
    values['result'] = call('Image.clipToBoundsAndScale', {
      input: call('Image.load', { id: constant('an/image') }),
      // Few enough that the test ends, if slowly, without the bound.
      geometry: call('GeometryConstructors.Polygon', { coordinates: ref('c27') }),
      scale: constant(1),
    });
    expect(check(values)).toEqual(['RESULT_NOT_IMAGE_COLLECTION']);
  });

  it('can have functions of many arguments in each other, called by name', () => {
    const count = 20_000;
    const [outer, inner] = [names('a', count), names('b', count)];
    const apply = (functionReference: string, args: Nodes) => ({
      functionInvocationValue: { functionReference, arguments: args },
    });
    const values: Nodes = {
      innerBody: { arrayValue: { values: outer.map((argumentReference) => ({ argumentReference })) } },
      inner: { functionDefinitionValue: { argumentNames: inner, body: 'innerBody' } },
      outerBody: apply('inner', {}),
      outer: { functionDefinitionValue: { argumentNames: outer, body: 'outerBody' } },
      result: apply('outer', Object.fromEntries(outer.toReversed().map((name) => [name, constant(1)]))),
    };
    expect(check(values)).toEqual(['RESULT_NOT_IMAGE_COLLECTION']);
  });
});

describe('the size of a region', () => {
  const frames = (coordinates: object) => ({
    image: call('Image.clipToBoundsAndScale', {
      input: call('Image.load', { id: constant('an/image') }),
      geometry: call('GeometryConstructors.Polygon', { coordinates }),
      scale: constant(1),
    }),
    result: call('ImageCollection.fromImages', { images: arrayOf('image') }),
  });
  const ring = [
    [0, 0],
    [10, 0],
    [10, 10],
    [0, 10],
  ];

  it('is known of points and of lists that the graph makes of them', () => {
    expect(check(frames(constant([ring])))).toContain('TOO_MANY_PIXELS');
    const values = { ring: constant(ring), ...frames(arrayOf('ring', 'ring')) };
    expect(check(values)).toContain('TOO_MANY_PIXELS');
  });
});
