import {
  argument,
  type Call,
  constantArgument,
  elementsArgument,
  imageArgument,
  numberArgument,
  type Transfer,
} from './call.ts';
import { pixelsOnGround } from './ground.ts';
import { IMAGE, type ImageValue, join, type Origin, type Value } from './value.ts';

/**
 * What Earth Engine's image algorithms do to bands, pixel types, and sizes. Source: each algorithm's page of
 * https://developers.google.com/earth-engine/apidocs. An algorithm that is not here returns an image of which nothing is known.
 */

const names = (text: string): string[] => text.trim().split(/\s+/);
const each = (text: string, transfer: Transfer): [string, Transfer][] =>
  names(text).map((name) => [name, transfer]);

const bandsOf = (bands: number | undefined, at: Origin, why: string): Partial<ImageValue> => ({
  bands,
  bandsAt: bands === undefined ? undefined : at,
  bandsWhy: bands === undefined ? undefined : why,
});

const pixelsOf = (pixels: string | undefined, at: Origin): Partial<ImageValue> => ({
  pixels,
  pixelsAt: pixels === undefined ? undefined : at,
});

/** The same bands, of a type that is not known: the result of arithmetic, for example. */
const sameBands = (image: ImageValue): ImageValue => ({
  ...image,
  pixels: undefined,
  pixelsAt: undefined,
});

const isFloat = ({ pixels }: ImageValue): boolean => pixels === 'float' || pixels === 'double';

const keep =
  (argumentName: string): Transfer =>
  (call) =>
    imageArgument(call, argumentName);

const keepBands =
  (argumentName: string): Transfer =>
  (call) =>
    sameBands(imageArgument(call, argumentName));

/** Moves or resamples pixels: the size is no longer certain. */
const keepBandsOnly =
  (argumentName: string, change: Partial<ImageValue> = {}): Transfer =>
  (call) => ({ ...imageArgument(call, argumentName), size: undefined, ...change });

const convert =
  (pixels: string): Transfer =>
  (call) => ({ ...imageArgument(call, 'value'), ...pixelsOf(pixels, call.origin) });

const fixed =
  (bands: number, pixels?: string): Transfer =>
  (call) => ({
    ...IMAGE,
    placed: placedBy(call),
    ...bandsOf(bands, call.origin, `${call.name} returns ${bands === 1 ? 'one band' : `${bands} bands`}`),
    ...pixelsOf(pixels, call.origin),
  });

/** Something computed of one image is where that image is; something of none is everywhere. */
function placedBy({ values }: Call): boolean | undefined {
  const images = values.filter((value) => value.kind === 'Image');
  return images.length === 0 ? false : images.every(({ placed }) => placed === false) ? false : undefined;
}

/** An image of one band is combined with each band of the other. */
function binary(call: Call): ImageValue {
  const a = imageArgument(call, 'image1');
  const b = imageArgument(call, 'image2');
  const wider = a.bands === 1 ? b : a;
  const isClear = a.bands === 1 || b.bands === 1 || a.bands === b.bands;
  const result = isClear ? wider : { ...IMAGE };
  const becomesFloat = /\.(?:add|subtract|multiply|divide)$/.test(call.name) && (isFloat(a) || isFloat(b));
  return {
    ...sameBands(result),
    ...(becomesFloat && pixelsOf('float', call.origin)),
    placed: a.placed === true || b.placed === true ? true : a.placed === b.placed ? a.placed : undefined,
    size: a.size ?? b.size,
  };
}

/** A band's name may be a pattern. Without these characters, it is one band. */
const pattern = /[^\w-]/;

/** How many bands a list of names selects; undefined unless that is certain. */
function selectedBands(selectors: Value | undefined): number | undefined {
  const constants =
    selectors?.kind === 'List'
      ? selectors.constants
      : selectors?.kind === 'String'
        ? [selectors.value]
        : undefined;
  if (!constants || constants.length === 0 || constants.length > 1000) {
    return undefined;
  }
  return constants.every(
    (selector) => typeof selector === 'number' || (typeof selector === 'string' && !pattern.test(selector)),
  )
    ? constants.length
    : undefined;
}

const counted = (count: number): string => (count === 1 ? 'one band' : `${count} bands`);

function select(call: Call): ImageValue {
  const input = imageArgument(call, 'input');
  const count = selectedBands(argument(call, 'bandSelectors'));
  return {
    ...input,
    ...bandsOf(count, call.origin, count === undefined ? '' : `select keeps ${counted(count)}`),
  };
}

function visualize(call: Call): ImageValue {
  const image = imageArgument(call, 'image');
  const bands = argument(call, 'bands');
  const shown = bands === undefined ? image.bands : selectedBands(bands);
  const palette = argument(call, 'palette');
  const force = argument(call, 'forceRgbOutput');
  const isColored = palette !== undefined && palette.kind !== 'Unknown';
  const isForced = force?.kind === 'Boolean' && force.value === true;
  const maybeColored =
    palette !== undefined || (force !== undefined && !(force.kind === 'Boolean' && force.value === false));
  let count: number | undefined;
  if (shown === 3 || isColored || isForced) {
    count = 3;
  } else if (shown === 1 && !maybeColored) {
    count = 1;
  }
  return {
    ...image,
    ...bandsOf(count, call.origin, 'visualize shows one band in gray, without a palette'),
    ...pixelsOf('byte', call.origin),
  };
}

function addBands(call: Call): ImageValue {
  const target = imageArgument(call, 'dstImg');
  const added = argument(call, 'names')
    ? selectedBands(argument(call, 'names'))
    : imageArgument(call, 'srcImg').bands;
  const overwrite = argument(call, 'overwrite');
  const isPlain = overwrite === undefined || (overwrite.kind === 'Boolean' && overwrite.value === false);
  const count =
    isPlain && target.bands !== undefined && added !== undefined ? target.bands + added : undefined;
  const { pixels } = imageArgument(call, 'srcImg');
  return {
    ...target,
    ...bandsOf(count, call.origin, `addBands makes ${counted(count ?? 0)}`),
    ...(pixels !== target.pixels && pixelsOf(undefined, call.origin)),
  };
}

function constantImage(call: Call): ImageValue {
  const value = constantArgument(call, 'value');
  const count = Array.isArray(value) ? value.length : typeof value === 'number' ? 1 : undefined;
  const isFraction = typeof value === 'number' && !Number.isInteger(value);
  return {
    ...IMAGE,
    placed: false,
    ...bandsOf(count, call.origin, `the constant image has ${counted(count ?? 0)}`),
    ...pixelsOf(isFraction ? 'double' : undefined, call.origin),
  };
}

function rename(call: Call): ImageValue {
  const input = imageArgument(call, 'input');
  const renamed = argument(call, 'names');
  const count = renamed?.kind === 'List' ? renamed.constants?.length : undefined;
  return input.bands !== undefined || count === undefined
    ? input
    : { ...input, ...bandsOf(count, call.origin, `rename names ${counted(count)}`) };
}

/** How many bands a reducer makes of each input; undefined unless that is certain. */
function outputsOf(reducer: Value | undefined): number | undefined {
  return reducer?.kind === 'Reducer' && typeof reducer.of === 'number' ? reducer.of : undefined;
}

function reduceImage(call: Call): ImageValue {
  const outputs = outputsOf(argument(call, 'reducer'));
  return {
    ...sameBands(imageArgument(call, 'image')),
    ...bandsOf(outputs, call.origin, `reduce makes ${counted(outputs ?? 0)} of all bands`),
  };
}

function reduceCollection(call: Call): ImageValue {
  const outputs = outputsOf(argument(call, 'reducer'));
  const { bands, placed } = elementsArgument(call, 'collection');
  const count = outputs === undefined || bands === undefined ? undefined : outputs * bands;
  return {
    ...IMAGE,
    placed,
    ...bandsOf(count, call.origin, `reduce makes ${counted(count ?? 0)}`),
  };
}

const composite: Transfer = (call) => ({
  ...sameBands(elementsArgument(call, 'collection')),
  size: undefined,
});

function blend(call: Call): ImageValue {
  const bottom = imageArgument(call, 'bottom');
  const joined = join(bottom, imageArgument(call, 'top')) as ImageValue;
  return { ...joined, placed: bottom.placed };
}

function clipToBoundsAndScale(call: Call): ImageValue {
  const image = imageArgument(call, 'input');
  const width = numberArgument(call, 'width');
  const height = numberArgument(call, 'height');
  const maxDimension = numberArgument(call, 'maxDimension');
  const scale = numberArgument(call, 'scale');
  let atLeast = 0;
  if (width !== undefined && height !== undefined) {
    atLeast = width * height;
  } else if (scale !== undefined) {
    atLeast = pixelsOnGround(argument(call, 'geometry'), scale);
  } else {
    atLeast = maxDimension ?? width ?? height ?? 0;
  }
  return { ...image, placed: true, size: { width, height, maxDimension, atLeast, at: call.origin } };
}

const renameAll = (prefixes: string, members: string): string =>
  names(prefixes)
    .flatMap((prefix) => names(members).map((member) => `${prefix}.${member}`))
    .join(' ');

const binaries = renameAll(
  'Image',
  `add subtract multiply divide max min first firstNonZero first_nonzero mod and or lt lte gt gte eq neq pow atan2 hypot
   bitwiseAnd bitwise_and bitwiseOr bitwise_or bitwiseXor bitwise_xor leftShift left_shift rightShift right_shift`,
);
const unaries = renameAll(
  'Image',
  `bitwiseNot bitwise_not bitCount not sin cos tan asin acos atan sinh cosh tanh sqrt log log10 exp abs floor ceil round
   cbrt gamma digamma trigamma erf erfc erfInv erfcInv signum`,
);

export const imageTransfers: ReadonlyMap<string, Transfer> = new Map<string, Transfer>([
  ...each(binaries, binary),
  ...each(unaries, keepBands('value')),
  ...each('Image.byte Image.toByte Image.uint8 Image.toUint8', convert('byte')),
  ...each('Image.int8 Image.toInt8', convert('int8')),
  ...each('Image.short Image.toShort Image.int16 Image.toInt16', convert('int16')),
  ...each('Image.uint16 Image.toUint16', convert('uint16')),
  ...each('Image.int Image.toInt Image.int32 Image.toInt32', convert('int32')),
  ...each('Image.uint32 Image.toUint32', convert('uint32')),
  ...each('Image.long Image.toLong Image.int64 Image.toInt64', convert('int64')),
  ...each('Image.float Image.toFloat', convert('float')),
  ...each('Image.double Image.toDouble', convert('double')),
  ...each('Image.updateMask Image.selfMask', keep('image')),
  ...each('Image.clamp Image.unitScale Image.unmask Image.where', keepBands('input')),
  ...each('Image.mask', keepBands('image')),
  ...each('Image.interpolate Image.polynomial', keepBands('image')),
  ...each('Image.setDefaultProjection', keepBandsOnly('image')),
  ...each('Image.reproject', keepBandsOnly('image', { placed: true })),
  ...each('Image.clip Image.clipToCollection', keepBandsOnly('input', { placed: true })),
  ...each(
    'Image.resample Image.reduceResolution Image.convolve',
    keepBandsOnly('image', { pixels: undefined }),
  ),
  ...each(renameAll('Window', 'min max median mode mean'), keepBandsOnly('image', { pixels: undefined })),
  ...each(
    renameAll('Image', 'focalMin focal_min focalMax focal_max focalMedian focal_median focalMode focal_mode'),
    keepBandsOnly('image', { pixels: undefined }),
  ),
  ...each('Image.focalMean Image.focal_mean', keepBandsOnly('image', { pixels: undefined })),
  ...each('Image.regexpRename', keep('input')),
  ...each('Image.pixelArea', fixed(1, 'double')),
  ...each('Image.random Image.metadata Image.remap', fixed(1)),
  ...each('Image.pixelLonLat', fixed(2, 'double')),
  ...each('Image.normalizedDifference', fixed(1, 'float')),
  ...each('Image.rgbToHsv Image.hsvToRgb', fixed(3, 'float')),
  ...each('Terrain.slope Terrain.aspect Terrain.hillshade Terrain.hillShadow HillShadow', fixed(1)),
  ['Image.select', select],
  ['Image.visualize', visualize],
  ['Image.addBands', addBands],
  ['Image.constant', constantImage],
  ['Image.rename', rename],
  ['Image.reduce', reduceImage],
  ['Image.blend', blend],
  ['Image.clipToBoundsAndScale', clipToBoundsAndScale],
  ['ImageCollection.reduce', reduceCollection],
  ['ImageCollection.mosaic', (call) => ({ ...elementsArgument(call, 'collection'), size: undefined })],
  ['ImageCollection.qualityMosaic', (call) => ({ ...elementsArgument(call, 'collection'), size: undefined })],
  ...each(renameAll('reduce', 'min max sum product mean median mode and or count'), composite),
]);
