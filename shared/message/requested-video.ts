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

/** A node, as far as it can have calls in it. The reader has accepted it. */
interface Node {
  readonly functionInvocationValue?: ScalingNode;
  readonly arrayValue?: { readonly values?: readonly Node[] };
  readonly dictionaryValue?: { readonly values?: Readonly<Record<string, Node>> };
}

/** Constants are skipped: a polygon of a million numbers takes longer to walk than the rest of a graph. */
function* longerSidesIn(values: object): Steps<ReadonlySet<number>> {
  const sides = new Set<number>();
  const open: Node[] = Object.values(values as Readonly<Record<string, Node>>);
  let nodes = 0;
  for (let node = open.pop(); node; node = open.pop()) {
    nodes += 1;
    if (nodes % NODES === 0) {
      yield;
    }
    const { functionInvocationValue: call, arrayValue, dictionaryValue } = node;
    const side = call && longerSideOf(call);
    if (side !== undefined) {
      sides.add(side);
    }
    const members = call ? call.arguments : (arrayValue ?? dictionaryValue)?.values;
    if (members) {
      pushContainers(open, members);
    }
  }
  return sides;
}

function pushContainers(open: Node[], members: Readonly<Record<string, Node>> | readonly Node[]): void {
  for (const member of Array.isArray(members) ? (members as readonly Node[]) : Object.values(members)) {
    if (member.functionInvocationValue ?? member.arrayValue ?? member.dictionaryValue) {
      open.push(member);
    }
  }
}

interface ScalingNode {
  readonly functionName?: unknown;
  readonly arguments?: Readonly<Record<string, Node & { readonly constantValue?: unknown }>>;
}

function longerSideOf({ functionName, arguments: given }: ScalingNode): number | undefined {
  if (functionName !== SCALING) {
    return undefined;
  }
  const sides = ['maxDimension', 'width', 'height'].map((name) => given?.[name]?.constantValue);
  const numbers = sides.filter((side) => typeof side === 'number');
  return numbers.length === 0 ? undefined : Math.max(...numbers);
}
