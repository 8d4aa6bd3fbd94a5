import type { Cell, Grid, Row } from './view.ts';

/**
 * Arranges the jobs of a batch as its matrix does. Records do not contain the values that a manifest was filled with, but job keys
 * do (`${batchId}/${run}/${region}/${year}`): parts between slashes that all jobs share say nothing; of the others, the last
 * one becomes the columns.
 */

/** More columns than this do not fit: the lines then wrap. */
const MAX_COLUMNS = 32;

export function gridOf(rows: readonly Row[]): Grid {
  const parts = rows.map((row) => partsOf(row));
  const length = parts[0]?.length ?? 0;
  if (length === 0 || parts.some((each) => each.length !== length)) {
    return {
      columns: [],
      lines: [
        line(
          '',
          rows,
          rows.map(({ name }) => name),
        ),
      ],
    };
  }
  const varying = Array.from({ length }, (_, n) => n).filter(
    (n) => new Set(parts.map((each) => each[n])).size > 1,
  );
  const column = varying.pop();
  if (column === undefined) {
    return {
      columns: [],
      lines: [
        line(
          '',
          rows,
          rows.map(({ name }) => name),
        ),
      ],
    };
  }
  const labels = parts.map((each) => each[column] ?? '');
  const lines = new Map<string, number[]>();
  for (const [index, each] of parts.entries()) {
    const name = varying.map((n) => each[n]).join(' / ');
    lines.set(name, [...(lines.get(name) ?? []), index]);
  }
  const columns = [...new Set(labels)].sort(compare);
  const named = [...lines].sort(([a], [b]) => compare(a, b));
  const isMatrix =
    lines.size > 1 && columns.length <= MAX_COLUMNS && columns.length * lines.size <= rows.length * 2;
  return {
    columns: isMatrix ? columns : [],
    lines: named.map(([name, indexes]) => {
      const cells = indexes
        .map((index): Cell => ({ row: rows[index] as Row, label: labels[index] ?? '' }))
        .sort((a, b) => compare(a.label, b.label));
      return {
        label: name,
        cells: isMatrix ? columns.map((each) => cells.find(({ label }) => label === each) ?? null) : cells,
      };
    }),
  };
}

const line = (label: string, rows: readonly Row[], labels: readonly string[]): Grid['lines'][number] => ({
  label,
  cells: rows
    .map((row, index): Cell => ({ row, label: labels[index] ?? '' }))
    .sort((a, b) => compare(a.label, b.label)),
});

const partsOf = ({ id, name }: Row): string[] => (name === id ? [] : name.split('/').slice(0, 12));

const collator = new Intl.Collator('en', { numeric: true });
const compare = (a: string, b: string): number => collator.compare(a, b);
