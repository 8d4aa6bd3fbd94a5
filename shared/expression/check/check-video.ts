import { runAtOnce, type Steps } from '../../steps.ts';
import { isJsonObject, type JsonObject } from '../../json.ts';
import { checkResult, type Limits } from './frames.ts';
import { interpret } from './interpret.ts';
import { createReport, type PlacedFinding } from './report.ts';

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

/** Finds mistakes in a graph without running it: see docs/checks.md. Errors come first. */
export const checkVideo = (request: CheckedRequest): PlacedFinding[] => runAtOnce(checkVideoInSteps(request));

export function* checkVideoInSteps({ expression, videoOptions }: CheckedRequest): Steps<PlacedFinding[]> {
  const { values, result } = expression as { values: JsonObject; result: string };
  const report = createReport();
  const value = yield* interpret(values, result, report);
  const node = values[result];
  if (isJsonObject(node)) {
    checkResult(value, { entry: result, node }, limitsOf(videoOptions), report);
  }
  return report.list(values);
}

function limitsOf(options: CheckedRequest['videoOptions']): Limits {
  return {
    maxFrames: options?.maxFrames ?? MAX_FRAMES,
    maxPixelsPerFrame: Number(options?.maxPixelsPerFrame ?? MAX_PIXELS_PER_FRAME),
  };
}
