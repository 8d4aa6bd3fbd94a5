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
