import type { Extent } from '../model/delivery.ts';
import { ascending, median, quantile, sumOf } from './quantiles.ts';
import { bestScale, type ScaleName, sizeOn } from './scale.ts';
import { instabilitiesOf, type Instability } from './stability.ts';

/** What jobs will probably cost, from what jobs of the same shape have cost. Pure functions. */

/** A job that ended, with its final cost. */
export interface PastJob {
  readonly eecuSeconds: number;
  readonly extent?: Extent | undefined;
  /** How long it rendered, if that is known. */
  readonly renderedMs?: number | undefined;
}

export interface Estimate {
  readonly low: number;
  /** In EECU-seconds. */
  readonly median: number;
  readonly high: number;
  /** Whether four of five jobs end between `low` and `high`; with too few similar jobs, these are the extremes. */
  readonly isEightyPercent: boolean;
  readonly similarJobs: number;
  /** Undefined if the history itself is predicted better without. */
  readonly scaledBy: ScaleName | undefined;
  readonly instabilities: readonly Instability[];
  /** How long one of them renders. */
  readonly renderedMs: number | undefined;
}

const LOW = 0.1;
const HIGH = 0.9;
/** With fewer jobs, no quantile of them is exceeded by only a tenth of further jobs. */
const MIN_FOR_QUANTILES = 9;

/** How often the total of several jobs is drawn from the history. */
const DRAWS = 200;
/** More jobs are drawn as so many: the rest would not change the range, which then depends on how long the history is. */
const MAX_DRAWN_JOBS = 2000;

/**
 * The total of jobs of one shape; undefined if nothing similar has run.
 *
 * @param history jobs of the shape that succeeded, oldest first
 * @param extents those of the jobs to estimate, or of a sample of them
 * @param count how many jobs there are
 */
export function estimate(
  history: readonly PastJob[],
  extents: readonly (Extent | undefined)[],
  count = extents.length,
): Estimate | undefined {
  const known = history.filter(({ eecuSeconds }) => eecuSeconds > 0 && Number.isFinite(eecuSeconds));
  const scaledBy = bestScale(known, extents);
  const sized = known.flatMap((job) => {
    const size = sizeOn(scaledBy, job.extent);
    return size === undefined ? [] : [{ ...job, ratio: job.eecuSeconds / size }];
  });
  if (sized.length === 0 || extents.length === 0 || count === 0) {
    return undefined;
  }
  const ratios = sized.map(({ ratio }) => ratio);
  const sizes = extents.map((extent) => sizeOn(scaledBy, extent) ?? 1);
  const totals =
    count === 1
      ? ratios.map((ratio) => ratio * (sizes[0] ?? 1)).sort(ascending)
      : drawTotals(ratios, sizes, count);
  const rendered = sized.flatMap(({ renderedMs }) => (renderedMs === undefined ? [] : [renderedMs]));
  // Of one job of a typical size, so that people can compare it with what jobs cost.
  const typical = median(sizes.toSorted(ascending));
  return {
    low: quantile(totals, LOW),
    median: median(totals),
    high: quantile(totals, HIGH),
    isEightyPercent: sized.length >= MIN_FOR_QUANTILES,
    similarJobs: sized.length,
    scaledBy,
    instabilities: instabilitiesOf(ratios.map((ratio) => ratio * typical)),
    renderedMs: rendered.length > 0 ? median(rendered.sort(ascending)) : undefined,
  };
}

/**
 * Possible totals, sorted: each job costs what one of the history has cost. The history itself is a sample too, so each total
 * is drawn from another resampling of it (the bootstrap). The same history always gives the same totals.
 */
function drawTotals(ratios: readonly number[], sizes: readonly number[], count: number): number[] {
  const pick = createPick();
  const drawn = Math.min(count, MAX_DRAWN_JOBS);
  const totals = Array.from({ length: DRAWS }, () => {
    const resampled = ratios.map(() => pick(ratios));
    const costs = Array.from({ length: drawn }, () => pick(resampled) * pick(sizes));
    return (sumOf(costs) * count) / drawn;
  });
  return totals.sort(ascending);
}

/** Items by a linear congruential generator (of Numerical Recipes), from a fixed seed. */
function createPick(): (items: readonly number[]) => number {
  let state = 1;
  return (items) => {
    state = (Math.imul(state, 1_664_525) + 1_013_904_223) >>> 0;
    return items[Math.floor((state / 2 ** 32) * items.length)] ?? 0;
  };
}
