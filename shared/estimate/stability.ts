import { ascending, meanOf, median, sumOf } from './quantiles.ts';

/** Detects histories that say little about the next job. */

export type Instability =
  /** Costs rise or fall from job to job. */
  | { readonly kind: 'DRIFT'; readonly direction: 'rise' | 'fall'; readonly recent: number }
  /** There are cheap and expensive jobs, and few in between. */
  | { readonly kind: 'TWO_MODES'; readonly modes: readonly [number, number] }
  /** A few jobs cause most of the cost. */
  | { readonly kind: 'HEAVY_TAIL'; readonly share: number };

/** Fewer jobs look unstable by chance. */
const MIN_JOBS = 20;

/** In standard deviations of the rank correlation without a drift: chance exceeds this in one of thousands of histories. */
const DRIFT_DEVIATIONS = 3.5;
/** A weaker drift moves the estimate by less than its range. */
const MIN_CORRELATION = 0.3;
/** A warning about a drift reports the median cost of this part of the history, the newest. */
const RECENT_PART = 0.1;

/** The halves of a normal distribution are 2.7 of their own standard deviations apart, and those of a uniform one 3.5. */
const MODE_DISTANCE = 5;
const MIN_MODE_PART = 0.1;
/** A smaller factor between the modes does not matter in practice. */
const MIN_MODE_FACTOR = 1.5;

/** Of costs within a factor of two, the top 5 percent make up 5 to 10 percent. */
const TAIL_PART = 0.05;
const MAX_TAIL_SHARE = 0.25;

/** @param costs oldest first, scaled to the same size */
export function instabilitiesOf(costs: readonly number[]): Instability[] {
  if (costs.length < MIN_JOBS) {
    return [];
  }
  const sorted = costs.toSorted(ascending);
  return [driftOf(costs), modesOf(sorted), tailOf(sorted)].filter((found) => found !== undefined);
}

/** By Spearman's rank correlation of cost and time. */
function driftOf(costs: readonly number[]): Instability | undefined {
  const { length } = costs;
  const middle = (length - 1) / 2;
  const ranks = ranksOf(costs);
  const deviations = Math.sqrt(sumOf(ranks.map((rank) => (rank - middle) ** 2)));
  const timeDeviations = Math.sqrt(sumOf(ranks.map((_, index) => (index - middle) ** 2)));
  const common = sumOf(ranks.map((rank, index) => (rank - middle) * (index - middle)));
  const correlation = deviations > 0 ? common / (deviations * timeDeviations) : 0;
  const isChance = Math.abs(correlation) * Math.sqrt(length - 1) < DRIFT_DEVIATIONS;
  if (isChance || Math.abs(correlation) < MIN_CORRELATION) {
    return undefined;
  }
  const recent = costs.slice(-Math.max(1, Math.round(length * RECENT_PART))).sort(ascending);
  return { kind: 'DRIFT', direction: correlation > 0 ? 'rise' : 'fall', recent: median(recent) };
}

/** The rank of each value, from 0. Equal values get the average of their ranks. */
function ranksOf(values: readonly number[]): number[] {
  const sorted = values.toSorted(ascending);
  const first = new Map<number, number>();
  const last = new Map<number, number>();
  for (const [place, value] of sorted.entries()) {
    first.set(value, first.get(value) ?? place);
    last.set(value, place);
  }
  return values.map((value) => ((first.get(value) ?? 0) + (last.get(value) ?? 0)) / 2);
}

/** Splits the logarithms into the two groups with the least variance within them. */
function modesOf(sorted: readonly number[]): Instability | undefined {
  const logs = sorted.map((cost) => Math.log(cost));
  const { length } = logs;
  const least = Math.max(2, Math.ceil(length * MIN_MODE_PART));
  let best = { within: Infinity, at: 0 };
  let [sum, squares] = [0, 0];
  const [allSum, allSquares] = [sumOf(logs), sumOf(logs.map((log) => log ** 2))];
  for (let at = 1; at <= length - least; at += 1) {
    const log = logs[at - 1] ?? 0;
    sum += log;
    squares += log ** 2;
    const within = squares - sum ** 2 / at + (allSquares - squares) - (allSum - sum) ** 2 / (length - at);
    if (at >= least && within < best.within) {
      best = { within, at };
    }
  }
  const [low, high] = [logs.slice(0, best.at), logs.slice(best.at)];
  const deviation = Math.sqrt(Math.max(best.within, 0) / length);
  const distance = meanOf(high) - meanOf(low);
  if (distance <= MODE_DISTANCE * deviation || distance < Math.log(MIN_MODE_FACTOR)) {
    return undefined;
  }
  const typical = (costs: readonly number[]): number => Math.exp(median(costs));
  return { kind: 'TWO_MODES', modes: [typical(low), typical(high)] };
}

function tailOf(sorted: readonly number[]): Instability | undefined {
  const tail = sorted.slice(-Math.max(1, Math.round(sorted.length * TAIL_PART)));
  const share = sumOf(tail) / sumOf(sorted);
  return share > MAX_TAIL_SHARE ? { kind: 'HEAVY_TAIL', share } : undefined;
}
