import { table } from '../../cli/screen.ts';

/** One measurement, with the baseline of the same run. */
export interface Row {
  readonly what: string;
  /** Median of the runs, in `unit`. */
  readonly value: number;
  /** The median of the baseline's runs, in `unit`. */
  readonly baseline: number;
  readonly unit: string;
  /** The ratio to the baseline that must not be reached, if there is such a limit. */
  readonly limit?: number;
  /** The ratio to the baseline that must be reached, if there is such a limit. */
  readonly least?: number;
  /** The value that must not be exceeded, in `unit`, if there is such a limit. */
  readonly most?: number;
}

/** A benchmark of one part: the default export of its module, listed in `run.ts`. */
export interface Bench {
  readonly name: string;
  run(): Promise<Row[]>;
}

export function median(values: readonly number[]): number {
  const sorted = values.toSorted((a, b) => a - b);
  const middle = Math.floor(sorted.length / 2);
  const upper = sorted[middle] ?? Number.NaN;
  return sorted.length % 2 === 1 ? upper : ((sorted[middle - 1] ?? Number.NaN) + upper) / 2;
}

export function formatTable(bench: string, rows: readonly Row[]): string {
  const header = ['bench', 'what', 'value', 'baseline', 'ratio', 'limit'];
  const lines = rows.map((row) => [
    bench,
    row.what,
    `${number(row.value)} ${row.unit}`,
    `${number(row.baseline)} ${row.unit}`,
    row.baseline === 0 ? '' : `${number(row.value / row.baseline)}×`,
    limitOf(row),
  ]);
  return table([header, ...lines], '', Infinity).join('\n');
}

export function isOver({ value, baseline, limit = Infinity, least = 0, most = Infinity }: Row): boolean {
  // Some rows have a baseline of zero, and then no ratio.
  return (limit < Infinity && value / baseline >= limit) || value < baseline * least || value > most;
}

function limitOf(row: Row): string {
  const { limit, least, most, unit } = row;
  const limits = [
    ...(limit === undefined ? [] : [`< ${limit}×`]),
    ...(least === undefined ? [] : [`≥ ${number(least)}×`]),
    ...(most === undefined ? [] : [`≤ ${number(most)} ${unit}`]),
  ];
  return limits.length === 0 ? '' : `${limits.join(', ')} ${isOver(row) ? 'OVER' : 'ok'}`;
}

function number(value: number): string {
  return value.toFixed(Math.abs(value) < 10 ? 2 : 1);
}
