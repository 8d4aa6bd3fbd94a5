import { runAtOnce, type Steps } from '../../steps.ts';
import { isJsonObject, type JsonObject } from '../../json.ts';
import type { Extent } from '../../model/delivery.ts';
import { checkResult, type Limits } from './frames.ts';
import { interpret } from './interpret.ts';
import { createReport, type PlacedFinding, type Report } from './report.ts';
import type { FrameSize, Value } from './value.ts';

/** The part of a request that is checked. */
export interface CheckedRequest {
  /** Accepted by `readExpression`. */
  readonly expression: unknown;
  readonly videoOptions?:
    | {
        readonly maxFrames?: number | undefined;
        readonly maxPixelsPerFrame?: string | number | undefined;
      }
    | undefined;
}

/** Earth Engine's own defaults (VideoOptions of projects.video.export). */
const MAX_FRAMES = 1000;
const MAX_PIXELS_PER_FRAME = 1e8;

export interface CheckedVideo {
  /** Errors come first. */
  readonly findings: PlacedFinding[];
  /** How much it computes; undefined if nothing is known of that. */
  readonly extent: Extent | undefined;
}

/** Finds mistakes in a graph without running it: see docs/checks.md. Errors come first. */
export const checkVideo = (request: CheckedRequest): PlacedFinding[] =>
  runAtOnce(checkVideoInSteps(request)).findings;

export function* checkVideoInSteps({ expression, videoOptions }: CheckedRequest): Steps<CheckedVideo> {
  const { values, result } = expression as { values: JsonObject; result: string };
  const report = createReport();
  const value = yield* interpret(values, result, report);
  const node = values[result];
  if (isJsonObject(node)) {
    checkResult(value, { entry: result, node }, limitsOf(videoOptions), report);
  }
  return { findings: report.list(values), extent: extentOf(value, report) };
}

function extentOf(result: Value, report: Report): Extent | undefined {
  const isCollection = result.kind === 'Collection';
  const size = isCollection && result.item.kind === 'Image' ? result.item.size : undefined;
  const known = Object.entries({
    frames: isCollection && result.min === result.max ? result.min : undefined,
    pixels: size && pixelsOf(size),
    days: report.largest('days'),
    squareKilometers: report.largest('squareKilometers'),
  }).filter(([, figure]) => figure !== undefined && figure > 0 && Number.isFinite(figure));
  const rounded = known.map(([name, figure]) => [name, Number(figure?.toPrecision(6))]);
  return rounded.length > 0 ? (Object.fromEntries(rounded) as Extent) : undefined;
}

/** With one side only, the square of it: the other side follows from the region. */
function pixelsOf({ width, height, maxDimension, atLeast }: FrameSize): number {
  const side = maxDimension ?? width ?? height;
  return width !== undefined && height !== undefined
    ? width * height
    : side === undefined
      ? atLeast
      : side ** 2;
}

function limitsOf(options: CheckedRequest['videoOptions']): Limits {
  return {
    maxFrames: options?.maxFrames ?? MAX_FRAMES,
    maxPixelsPerFrame: Number(options?.maxPixelsPerFrame ?? MAX_PIXELS_PER_FRAME),
  };
}
