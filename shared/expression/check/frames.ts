import type { Report, Within } from './report.ts';
import { describeValue, type ImageValue, type Origin, type Value } from './value.ts';

/** The limits of a video, as its request has them. */
export interface Limits {
  readonly maxFrames: number;
  readonly maxPixelsPerFrame: number;
}

/** The largest `maxFrames` that a request can have. */
const MAX_INT32 = 2 ** 31 - 1;

/** Checks that the graph's result is a video: an image collection whose frames are RGB and within the limits. */
export function checkResult(
  result: Value,
  at: Origin,
  { maxFrames, maxPixelsPerFrame }: Limits,
  report: Report,
): void {
  if (!isMaybeCollection(result)) {
    report.add(
      'RESULT_NOT_IMAGE_COLLECTION',
      at,
      [],
      `the result is ${describeValue(result)}; a video is made of an ImageCollection`,
      () =>
        result.kind === 'Image'
          ? 'Make a collection of frames: ImageCollection.fromImages, or Collection.map over a collection.'
          : 'Let result be the key of an ImageCollection.',
    );
    return;
  }
  if (result.kind !== 'Collection') {
    return;
  }
  if (result.min > maxFrames) {
    report.add(
      'TOO_MANY_FRAMES',
      result.countedAt ?? at,
      [],
      `the video has at least ${result.min} frames; maxFrames is ${maxFrames}`,
      () =>
        result.min > MAX_INT32
          ? 'Make fewer frames.'
          : `Raise videoOptions.maxFrames to ${result.min}, or make fewer frames.`,
    );
  }
  if (result.item.kind === 'Image') {
    checkFrames(result.item, at, maxPixelsPerFrame, report);
  }
}

/** Whether the result is, or may become, an image collection. */
function isMaybeCollection(result: Value): boolean {
  switch (result.kind) {
    case 'Unknown':
      return true;
    case 'Collection':
      return result.item.kind !== 'Feature';
    case 'List':
      return result.item.kind === 'Image' || result.item.kind === 'Unknown';
    default:
      return false;
  }
}

function checkFrames(frame: ImageValue, at: Origin, maxPixelsPerFrame: number, report: Report): void {
  const { bands, bandsAt, bandsWhy, pixels, pixelsAt, placed, size } = frame;
  if (bands !== undefined && bands !== 3) {
    report.add(
      'NOT_THREE_BANDS',
      bandsAt ?? at,
      [],
      `each frame has ${bands === 1 ? '1 band' : `${bands} bands`} (${bandsWhy}); a video needs three: red, green, and blue`,
      () =>
        bands === 1
          ? 'Use Image.visualize with a palette, with three bands, or with forceRgbOutput.'
          : 'Use Image.visualize with three bands.',
    );
  } else if (pixels !== undefined && pixels !== 'byte') {
    report.add(
      'NOT_8_BIT',
      pixelsAt ?? at,
      [],
      `each frame has pixels of type ${pixels}; a video needs 8 bits per band`,
      () => 'Let Image.visualize with min and max be the last step, or convert with Image.toByte.',
    );
  }
  if (size) {
    const { width, height, maxDimension, atLeast } = size;
    if (atLeast > maxPixelsPerFrame) {
      report.add(
        'TOO_MANY_PIXELS',
        size.at,
        [],
        `each frame has at least ${atLeast} pixels; maxPixelsPerFrame is ${maxPixelsPerFrame}`,
        () => 'Use a smaller size or a larger scale, or raise videoOptions.maxPixelsPerFrame.',
      );
    }
    for (const [name, pixels] of Object.entries({ width, height, maxDimension })) {
      if (pixels !== undefined && pixels % 2 !== 0) {
        report.add(
          'ODD_FRAME_SIZE',
          size.at,
          argumentOf(name),
          `${name} is ${pixels}: many players and encoders of MP4 need an even width and height`,
          () => `Use ${Math.ceil(pixels) + (Math.ceil(pixels) % 2)}.`,
        );
      }
    }
  }
  if (placed === false) {
    report.add(
      'NO_REGION',
      at,
      [],
      'the frames have no region, size, or scale: the video may show the whole footprint of its images, or the whole world',
      () =>
        'Pass region and dimensions to the export of the client, or map Image.clipToBoundsAndScale over the frames.',
    );
  }
}

const argumentOf = (name: string): Within => ['functionInvocationValue', 'arguments', name];
