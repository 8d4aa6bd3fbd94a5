import type { Extent } from '../model/delivery.ts';
import { ascending, meanOf, medianWithout } from './quantiles.ts';

/** By which figure of a job's extent its cost is scaled: by the one that predicts the history best, or by none. */

/** Products of figures that costs may be in proportion to. */
const scales = {
  frames: ['frames'],
  pixels: ['pixels'],
  'frames × pixels': ['frames', 'pixels'],
  days: ['days'],
  area: ['squareKilometers'],
  'area × days': ['squareKilometers', 'days'],
  'area × frames': ['squareKilometers', 'frames'],
} as const satisfies Record<string, readonly (keyof Extent)[]>;
export type ScaleName = keyof typeof scales;
const scaleNames = Object.keys(scales) as ScaleName[];

/** Fewer jobs cannot show that a scale predicts better. */
const MIN_JOBS = 8;

/** The job's size on a scale; undefined if it is unknown. */
export function sizeOn(scale: ScaleName | undefined, extent: Extent | undefined): number | undefined {
  if (scale === undefined) {
    return 1;
  }
  let size = 1;
  for (const name of scales[scale]) {
    size *= extent?.[name] ?? Number.NaN;
  }
  return size > 0 && Number.isFinite(size) ? size : undefined;
}

/** A smaller error by less than this is chance, or rounding if all jobs have the same size. */
const MIN_GAIN = 0.02;

interface Measured {
  readonly eecuSeconds: number;
  readonly extent?: Extent | undefined;
}

/**
 * The scale with the smallest leave-one-out error on the history; undefined if none is better than none. It compares with no
 * scale over the same jobs: those whose size is known.
 *
 * @param jobs those to estimate: a scale is of no use if the size of one of them is unknown
 */
export function bestScale(
  history: readonly Measured[],
  jobs: readonly (Extent | undefined)[],
): ScaleName | undefined {
  let best: ScaleName | undefined;
  let smallest = 1 - MIN_GAIN;
  for (const scale of scaleNames) {
    const sized = history.flatMap(({ eecuSeconds, extent }) => {
      const size = sizeOn(scale, extent);
      return size === undefined ? [] : [{ eecuSeconds, size }];
    });
    if (sized.length < MIN_JOBS || jobs.some((extent) => sizeOn(scale, extent) === undefined)) {
      continue;
    }
    const error =
      leaveOneOutError(sized) / leaveOneOutError(sized.map(({ eecuSeconds }) => ({ eecuSeconds, size: 1 })));
    if (error < smallest) {
      best = scale;
      smallest = error;
    }
  }
  return best;
}

/** How far off the median of the others is, as a factor, on average over the jobs (its logarithm). */
function leaveOneOutError(jobs: readonly { readonly eecuSeconds: number; readonly size: number }[]): number {
  const ratios = jobs.map(({ eecuSeconds, size }) => eecuSeconds / size).sort(ascending);
  return meanOf(ratios.map((ratio, index) => Math.abs(Math.log(medianWithout(ratios, index) / ratio))));
}
