import type { Row } from './table.ts';

/** What the rows of the benchmark `fleet` share. */

export const byInstances = (count: number): string => `${count} instance${count === 1 ? '' : 's'}`;

/** A row of what must not happen. */
export const noneOf = (what: string, value: number, unit: string): Row => ({
  what,
  value,
  baseline: 0,
  unit,
  most: 0,
});
