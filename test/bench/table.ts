import { table } from '../../cli/screen.ts';

/** One measured line: what was measured, beside the baseline of the same run. */
export interface Row {
  readonly what: string;
  /** Median of the runs, in `unit`. */
  readonly value: number;
  /** What it is held against: the median of the baseline's runs, in `unit`. */
  readonly baseline: number;
  readonly unit: string;
  /** The ratio that must not be reached, where one is promised. */
  readonly limit?: number;
  /** The value that must not be passed, in `unit`, where one is promised. */
  readonly most?: number;
}

/** A benchmark of one part: its module's default export, listed in `run.ts`. */
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
    promise(row),
  ]);
  return table([header, ...lines], '', Infinity).join('\n');
}

export function isOver({ value, baseline, limit = Infinity, most = Infinity }: Row): boolean {
  return value / baseline >= limit || value > most;
}

function promise(row: Row): string {
  const { limit, most, unit } = row;
  const promised = [
    ...(limit === undefined ? [] : [`< ${limit}×`]),
    ...(most === undefined ? [] : [`≤ ${number(most)} ${unit}`]),
  ];
  return promised.length === 0 ? '' : `${promised.join(', ')} ${isOver(row) ? 'OVER' : 'ok'}`;
}

function number(value: number): string {
  return value.toFixed(Math.abs(value) < 10 ? 2 : 1);
}
