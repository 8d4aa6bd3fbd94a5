/** What a request says about the video that it makes. */
export interface RequestedVideo {
  readonly framesPerSecond: number | undefined;
  /** In pixels, as official clients write `dimensions` into the expression. */
  readonly longerSide: number | undefined;
}

export function requestedVideo(request: Readonly<Record<string, unknown>>): RequestedVideo {
  const { framesPerSecond } = (request['videoOptions'] ?? {}) as { framesPerSecond?: number };
  return { framesPerSecond, longerSide: longerSideIn(request['expression']) };
}

/** The first call that scales images to a size which is a constant. */
function longerSideIn(expression: unknown): number | undefined {
  const open: unknown[] = [expression];
  for (let value = open.pop(); open.length > 0 || value !== undefined; value = open.pop()) {
    if (typeof value !== 'object' || value === null) {
      continue;
    }
    const call = value as { functionName?: unknown; arguments?: Record<string, { constantValue?: unknown }> };
    if (call.functionName === 'Image.clipToBoundsAndScale') {
      const sides = ['maxDimension', 'width', 'height'].map((name) => call.arguments?.[name]?.constantValue);
      const numbers = sides.filter((side) => typeof side === 'number');
      if (numbers.length > 0) {
        return Math.max(...numbers);
      }
    }
    for (const part of Object.values(value)) {
      if (typeof part === 'object') {
        open.push(part);
      }
    }
  }
  return undefined;
}
