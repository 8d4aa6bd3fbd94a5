import { describe, expect, it } from 'vitest';

import { frameProblem } from '../../../../infra/local/simulator/frames.ts';
import { createRig } from './rig.ts';

type Node = Readonly<Record<string, unknown>>;

const constant = (constantValue: unknown): Node => ({ constantValue });
const call = (functionName: string, given: Readonly<Record<string, Node>>): Node => ({
  functionInvocationValue: { functionName, arguments: given },
});
const reference = (valueReference: string): Node => ({ valueReference });
const list = (...values: Node[]): Node => ({ arrayValue: { values } });
const image: Node = { argumentReference: 'image' };
const load = call('ImageCollection.load', { id: constant('MODIS/061/MOD13A2') });

const visualize = (options: Readonly<Record<string, unknown>>, input = image): Node => {
  const given = Object.entries(options).map(([name, value]) => [name, constant(value)] as const);
  return call('Image.visualize', { image: input, ...Object.fromEntries(given) });
};
const select = (...names: unknown[]) =>
  call('Image.select', { input: image, bandSelectors: constant(names) });

/** A collection, each image of which is changed so. */
const mapped = (body: Node, collection = load, more: Readonly<Record<string, Node>> = {}) => ({
  result: 'result',
  values: {
    body,
    change: { functionDefinitionValue: { argumentNames: ['image'], body: 'body' } },
    result: call('Collection.map', { collection, baseAlgorithm: reference('change') }),
    ...more,
  },
});

const palette = ['ffffff', '00ff00'];
const gray = visualize({ bands: ['NDVI'] });
const color = visualize({ bands: ['B4', 'B3', 'B2'] });

describe('frames that Earth Engine fails', () => {
  it.each([
    ['one band without a palette', gray, '1 band'],
    ['one band by its name', visualize({ bands: 'NDVI', palette: null }), '1 band'],
    ['the only band of the image', visualize({ min: 0 }, select('NDVI')), '1 band'],
    [
      'a palette that is removed again',
      call('Image.select', { input: visualize({ palette }), bandSelectors: constant(['vis-red']) }),
      '1 band',
    ],
    ['two bands', select('B4', 3), '2 bands'],
    ['a fourth band', call('Image.addBands', { dstImg: color, srcImg: gray }), '4 bands'],
    ['a difference', call('Image.normalizedDifference', { input: image }), '1 band'],
    ['bands as floats', call('Image.toFloat', { value: color }), 'more than 8 bits'],
    ['a constant', call('Image.constant', { value: constant(7) }), '1 band'],
    ['one band, clipped', call('Image.clipToBoundsAndScale', { input: gray }), '1 band'],
  ])('%s', (_name, body, found) => {
    expect(frameProblem(mapped(body))).toBe(
      `Video frames must be images with three 8-bit bands, and these have ${found}. (Error code: 3)`,
    );
  });

  it('some of them', () => {
    const merged = mapped(gray, load, {
      merged: call('ImageCollection.merge', { collection1: reference('result'), collection2: load }),
    });
    expect(frameProblem({ ...merged, result: 'merged' })).toContain('1 band');
    const images = call('ImageCollection.fromImages', { images: list(visualize({ palette }), gray) });
    expect(frameProblem({ result: '0', values: { '0': images } })).toContain('1 band');
  });
});

describe('frames that could be right', () => {
  it.each([
    ['three bands', color],
    ['three bands by their names', visualize({ bands: 'B4,B3,B2' })],
    ['one band with a palette', visualize({ bands: ['NDVI'], palette })],
    ['one band, forced to RGB', visualize({ bands: ['NDVI'], forceRgbOutput: true })],
    ['the bands of an unknown image', visualize({ min: 0 })],
    ['the bands of an unknown image, as bytes', call('Image.toByte', { value: image })],
    ['a pattern of bands', visualize({}, select('B.*'))],
    ['gray over color', call('Image.blend', { bottom: color, top: gray })],
    [
      'three bands, added up',
      call('Image.addBands', { dstImg: visualize({}, select('a', 'b')), srcImg: gray }),
    ],
    [
      'a band that replaces another',
      call('Image.addBands', { dstImg: color, srcImg: gray, overwrite: constant(true) }),
    ],
    ['an unknown function', call('Image.hsvToRgb', { image: gray })],
    ['a computed palette', call('Image.visualize', { image, bands: constant(['NDVI']), palette: load })],
    ['nothing at all', constant(null)],
  ])('%s', (_name, body) => {
    expect(frameProblem(mapped(body))).toBeUndefined();
  });
});

describe('a hostile expression', () => {
  it('with a long chain, or with a function that maps over itself many times, is given up', () => {
    const links = Object.fromEntries(
      Array.from({ length: 200_000 }, (_, n) => [`${n}`, reference(`${n + 1}`)]),
    );
    expect(frameProblem({ result: '0', values: { ...links, 200000: gray } })).toBeUndefined();
    const levels = Array.from({ length: 40 }, (_, n) => [
      `${n}`,
      call('ImageCollection.merge', {
        collection1: reference(`${n + 1}`),
        collection2: reference(`${n + 1}`),
      }),
    ]);
    expect(frameProblem({ result: '0', values: { ...Object.fromEntries(levels), 40: gray } })).toContain(
      '1 band',
    );
  });

  it('whose names are those of built-in properties', () => {
    const values = { constructor: call('toString', { valueOf: constant(1) }) };
    expect(frameProblem({ result: 'constructor', values })).toBeUndefined();
  });
});

describe('an operation with such frames', () => {
  it('is accepted, and fails when it has run', async () => {
    const rig = createRig();
    const { json } = await rig.start({ requestId: 'gray', expression: mapped(gray) });
    expect(json).not.toHaveProperty('error');
    rig.pass(500);
    expect((await rig.get(json.name)).json.metadata.state).toBe('RUNNING');
    rig.pass(1000);
    expect((await rig.get(json.name)).json).toMatchObject({
      done: true,
      metadata: { state: 'FAILED' },
      error: { code: 3, message: expect.stringContaining('1 band') as string },
    });
  });
});
