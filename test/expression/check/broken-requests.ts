import type { Code } from '../../../shared/expression/check/codes.ts';
import type { Client } from './official-client.ts';

/** Programs with one mistake each that no client notices. */
export interface BrokenProgram {
  readonly name: string;
  readonly build: (ee: Client) => Client;
  readonly options?: object;
  readonly code: Code;
  /** The end of the path, and the algorithm of the node that it is in. */
  readonly at: RegExp;
  readonly algorithm: string;
  readonly message: RegExp;
}

const modis = (ee: Client) => ee.ImageCollection('MODIS/061/MOD13A2').filterDate('2020-01-01', '2021-01-01');
const rgb = (image: Client) => image.visualize({ bands: ['B4', 'B3', 'B2'], max: 0.3 });
const landsat = (ee: Client) => ee.ImageCollection('LANDSAT/LC08/C02/T1_TOA');
const frames = (ee: Client, count: number) =>
  ee.ImageCollection(
    ee.List.sequence(1, count).map((n: Client) =>
      ee.Image.constant(ee.Number(n)).visualize({ max: count, palette: ['black', 'white'] }),
    ),
  );

export const brokenPrograms: readonly BrokenProgram[] = [
  {
    name: 'one band without a palette',
    build: (ee) => modis(ee).map((image: Client) => image.visualize({ bands: ['NDVI'], max: 9000 })),
    code: 'NOT_THREE_BANDS',
    at: /arguments\.image$|\["\d+"\]$/,
    algorithm: 'Image.visualize',
    message: /1 band \(visualize shows one band in gray, without a palette\)/,
  },
  {
    name: 'one selected band, then visualize without a palette',
    build: (ee) =>
      modis(ee)
        .select('NDVI')
        .map((image: Client) => image.visualize({ min: 0, max: 9000, forceRgbOutput: false })),
    code: 'NOT_THREE_BANDS',
    at: /\]$/,
    algorithm: 'Image.visualize',
    message: /1 band/,
  },
  {
    name: 'one selected band as it is',
    build: (ee) => modis(ee).select('NDVI'),
    code: 'NOT_THREE_BANDS',
    at: /\]$/,
    algorithm: 'Image.select',
    message: /select keeps one band/,
  },
  {
    name: 'two bands',
    build: (ee) => modis(ee).select(['NDVI', 'EVI']),
    code: 'NOT_THREE_BANDS',
    at: /\]$/,
    algorithm: 'Image.select',
    message: /2 bands/,
  },
  {
    name: 'four bands',
    build: (ee) => landsat(ee).map((image: Client) => rgb(image).addBands(image.select('B5').toByte())),
    code: 'NOT_THREE_BANDS',
    at: /\]$/,
    algorithm: 'Image.addBands',
    message: /4 bands \(addBands makes 4 bands\)/,
  },
  {
    name: 'an index as it is',
    build: (ee) => landsat(ee).map((image: Client) => image.normalizedDifference(['B5', 'B4'])),
    code: 'NOT_THREE_BANDS',
    at: /\]$/,
    algorithm: 'Image.normalizedDifference',
    message: /normalizedDifference returns one band/,
  },
  {
    name: 'a hillshade as it is',
    build: (ee) => ee.ImageCollection([ee.Terrain.hillshade(ee.Image('USGS/SRTMGL1_003'), 270, 45)]),
    code: 'NOT_THREE_BANDS',
    at: /\]$/,
    algorithm: 'Terrain.hillshade',
    message: /one band/,
  },
  {
    name: 'toFloat at the end',
    build: (ee) => landsat(ee).map((image: Client) => rgb(image).toFloat()),
    code: 'NOT_8_BIT',
    at: /\]$/,
    algorithm: 'Image.toFloat',
    message: /pixels of type float/,
  },
  {
    name: '16 bits',
    build: (ee) =>
      landsat(ee)
        .select(['B4', 'B3', 'B2'])
        .map((image: Client) => image.toUint16()),
    code: 'NOT_8_BIT',
    at: /\]$/,
    algorithm: 'Image.toUint16',
    message: /uint16/,
  },
  {
    name: 'colors between 0 and 1',
    build: (ee) => landsat(ee).map((image: Client) => image.select(['B4', 'B3', 'B2']).rgbToHsv().hsvToRgb()),
    code: 'NOT_8_BIT',
    at: /\]$/,
    algorithm: 'Image.hsvToRgb',
    message: /float/,
  },
  {
    name: 'more frames than maxFrames',
    build: (ee) => frames(ee, 500),
    options: { maxFrames: 100 },
    code: 'TOO_MANY_FRAMES',
    at: /\]$|list$/,
    algorithm: 'List.sequence',
    message: /at least 500 frames; maxFrames is 100/,
  },
  {
    name: 'more frames than the default of maxFrames',
    build: (ee) => frames(ee, 600).merge(frames(ee, 600)),
    code: 'TOO_MANY_FRAMES',
    at: /\]$|collection$/,
    algorithm: 'ImageCollection.merge',
    message: /at least 1200 frames; maxFrames is 1000/,
  },
  {
    name: 'more pixels than maxPixelsPerFrame',
    build: (ee) => landsat(ee).map(rgb),
    options: { dimensions: '20000x10000' },
    code: 'TOO_MANY_PIXELS',
    at: /\]$/,
    algorithm: 'Image.clipToBoundsAndScale',
    message: /200000000 pixels; maxPixelsPerFrame is 100000000/,
  },
  {
    name: 'a continent at ten meters',
    build: (ee) => landsat(ee).map(rgb),
    options: {
      dimensions: undefined,
      scale: 10,
      region: [
        [-18, -36],
        [52, -36],
        [52, 38],
        [-18, 38],
      ],
    },
    code: 'TOO_MANY_PIXELS',
    at: /\]$/,
    algorithm: 'Image.clipToBoundsAndScale',
    message: /pixels; maxPixelsPerFrame/,
  },
];
