/** Empirical quantiles, without assumptions about how costs are distributed. */

export const ascending = (a: number, b: number): number => a - b;

/**
 * The value that the next one stays below with probability `p`: the `(n + 1) p`-th of `n` sorted values, interpolated. If
 * there are too few values for that, it is the first or the last one.
 */
export function quantile(sorted: readonly number[], p: number): number {
  const at = Math.min(Math.max((sorted.length + 1) * p, 1), sorted.length) - 1;
  const below = sorted[Math.floor(at)] ?? Number.NaN;
  const above = sorted[Math.ceil(at)] ?? Number.NaN;
  return below + (at - Math.floor(at)) * (above - below);
}

export const median = (sorted: readonly number[]): number => quantile(sorted, 0.5);

/** The median of the others, without the value at `index`. */
export function medianWithout(sorted: readonly number[], index: number): number {
  const at = (position: number): number => sorted[position < index ? position : position + 1] ?? Number.NaN;
  const middle = (sorted.length - 2) / 2;
  return (at(Math.floor(middle)) + at(Math.ceil(middle))) / 2;
}

export const sumOf = (values: readonly number[]): number => values.reduce((sum, value) => sum + value, 0);

export const meanOf = (values: readonly number[]): number => sumOf(values) / values.length;
