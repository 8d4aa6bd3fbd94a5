import type { Extent } from '../model/delivery.ts';
import { ascending, median, quantile, sumOf } from './quantiles.ts';
import { bestScale, type ScaleName, sizeOn } from './scale.ts';
import { instabilitiesOf, type Instability } from './stability.ts';

/** What jobs will probably cost, from what jobs of the same shape have cost. Pure functions. */

/** A job that succeeded, with its final cost. */
export interface PastJob {
  readonly eecuSeconds: number;
  readonly extent?: Extent | undefined;
  readonly renderedMs?: number | undefined;
}

/** `low`, `median`, and `high` are in EECU-seconds. */
export interface Estimate {
  readonly low: number;
  readonly median: number;
  readonly high: number;
  /** Whether four out of five jobs cost between `low` and `high`. With too few similar jobs, these are the lowest and the highest cost. */
  readonly isEightyPercent: boolean;
  readonly similarJobs: number;
  /** Undefined if no scale predicts the history better. */
  readonly scaledBy: ScaleName | undefined;
  readonly instabilities: readonly Instability[];
  /** How long one job renders. */
  readonly renderedMs: number | undefined;
}

const LOW = 0.1;
const HIGH = 0.9;
/** With fewer jobs, more than a tenth of further jobs exceed even the highest cost. */
const MIN_FOR_QUANTILES = 9;

/** How often the total of several jobs is drawn from the history. */
const DRAWS = 200;
/** A total of more jobs is scaled up from this many: beyond it, the range depends only on the length of the history. */
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
  // Instabilities report costs, so ratios become the costs of a job of typical size.
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

/** Picks items with a linear congruential generator (Numerical Recipes) and a fixed seed, so that estimates are reproducible. */
function createPick(): (items: readonly number[]) => number {
  let state = 1;
  return (items) => {
    state = (Math.imul(state, 1_664_525) + 1_013_904_223) >>> 0;
    return items[Math.floor((state / 2 ** 32) * items.length)] ?? 0;
  };
}
