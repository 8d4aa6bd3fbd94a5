import type { RequestedVideo } from '../model/delivery.ts';
import type { VideoRequest } from '../model/job.ts';
import type { Steps } from '../steps.ts';

/** Between two yields. */
const NODES = 10_000;

/** Official clients write the `dimensions` of a video as arguments of this function. */
const SCALING = 'Image.clipToBoundsAndScale';

/** What a request says about its video, as far as the finished file can be compared with it. */
export function* requestedVideoInSteps({ videoOptions, expression }: VideoRequest): Steps<RequestedVideo> {
  const sides = yield* longerSidesIn(expression.values);
  const [longerSide] = sides;
  return {
    ...(videoOptions?.framesPerSecond === undefined ? {} : { framesPerSecond: videoOptions.framesPerSecond }),
    // With several, any of them may be that of the frames.
    ...(longerSide !== undefined && sides.size === 1 ? { longerSide } : {}),
  };
}

function* longerSidesIn(values: object): Steps<ReadonlySet<number>> {
  const sides = new Set<number>();
  const open: object[] = [values];
  let nodes = 0;
  for (let node = open.pop(); node; node = open.pop()) {
    nodes += 1;
    if (nodes % NODES === 0) {
      yield;
    }
    const side = longerSideOf(node);
    if (side !== undefined) {
      sides.add(side);
    }
    for (const part of Object.values(node)) {
      if (typeof part === 'object' && part !== null) {
        open.push(part as object);
      }
    }
  }
  return sides;
}

interface ScalingNode {
  readonly functionName?: unknown;
  readonly arguments?: Readonly<Record<string, { readonly constantValue?: unknown } | undefined>>;
}

function longerSideOf({ functionName, arguments: given }: ScalingNode): number | undefined {
  if (functionName !== SCALING) {
    return undefined;
  }
  const sides = ['maxDimension', 'width', 'height'].map((name) => given?.[name]?.constantValue);
  const numbers = sides.filter((side) => typeof side === 'number');
  return numbers.length === 0 ? undefined : Math.max(...numbers);
}
