import type { Extent } from '../model/delivery.ts';
import { ascending, meanOf, medianWithout } from './quantiles.ts';

/** Chooses the measure of size by which costs are scaled: the one that predicts the history best, or none. */

/** Costs may be proportional to one of these measures, each a product of figures of the extent. */
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

/** A smaller improvement is chance, or rounding if all jobs have the same size. */
const MIN_GAIN = 0.02;

interface Measured {
  readonly eecuSeconds: number;
  readonly extent?: Extent | undefined;
}

/**
 * The scale with the smallest leave-one-out error on the history; undefined if no scale improves the prediction. For each scale,
 * both errors are computed over the same jobs: those whose size is known.
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

/** Predicts each job by the median of the others. The error is the logarithm of the factor between them, on average. */
function leaveOneOutError(jobs: readonly { readonly eecuSeconds: number; readonly size: number }[]): number {
  const ratios = jobs.map(({ eecuSeconds, size }) => eecuSeconds / size).sort(ascending);
  return meanOf(ratios.map((ratio, index) => Math.abs(Math.log(medianWithout(ratios, index) / ratio))));
}
