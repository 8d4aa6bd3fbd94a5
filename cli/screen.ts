import { printable } from './text.ts';

/** Text in the width of a terminal. */

export const COLUMNS = 80;

/** Columns as wide as their widest cell; lines that are too long are cut. */
export function table(
  rows: readonly (readonly string[])[],
  indent = '  ',
  columns: number = COLUMNS,
): string[] {
  const cells = rows.map((row) => row.map(printable));
  const widths = (cells[0] ?? []).map((_, column) =>
    Math.max(...cells.map((row) => row[column]?.length ?? 0)),
  );
  return cells.map((row) =>
    fit(indent + row.map((cell, column) => cell.padEnd(widths[column] ?? 0)).join('  '), columns),
  );
}

/** At most `columns` wide, without trailing spaces. */
export function fit(line: string, columns: number = COLUMNS): string {
  const text = line.trimEnd();
  return text.length > columns ? `${text.slice(0, columns - 1)}…` : text;
}

/** Cuts the middle of a name: the ends of names tell jobs of one batch apart. */
export function shorten(name: string, width: number): string {
  if (name.length <= width) {
    return name;
  }
  const kept = Math.max(2, width - 1);
  const end = Math.ceil(kept / 2);
  return `${name.slice(0, kept - end)}…${name.slice(-end)}`;
}

/** How wide these columns are in a table, with the space after the last one. */
export const columnsFor = (rows: readonly (readonly string[])[]): number =>
  (rows[0] ?? []).reduce(
    (width, _, column) => width + Math.max(...rows.map((row) => row[column]?.length ?? 0)) + 2,
    0,
  );

/** Breaks at spaces; a word that is longer than a line stays whole. */
export function wrap(text: string, indent: string, columns: number = COLUMNS): string[] {
  const lines: string[] = [];
  let line = '';
  for (const word of text.split(' ')) {
    if (line && indent.length + line.length + 1 + word.length > columns) {
      lines.push(indent + line);
      line = word;
    } else {
      line = line ? `${line} ${word}` : word;
    }
  }
  return [...lines, indent + line];
}

export function bar(fraction: number, width: number): string {
  const filled = Math.round(Math.min(Math.max(fraction, 0), 1) * width);
  return '█'.repeat(filled) + '░'.repeat(width - filled);
}

/** A full bar means success: the part that ended otherwise is drawn differently, and never disappears. */
export function splitBar([good = 0, bad = 0]: readonly number[], width: number): string {
  const failed = bad > 0 ? Math.max(1, Math.round(bad * width)) : 0;
  const filled = Math.min(Math.floor(good * width), width - failed);
  return '█'.repeat(filled) + '×'.repeat(failed) + '░'.repeat(width - filled - failed);
}
