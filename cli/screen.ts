/** Text for a terminal of 80 columns. */
export const COLUMNS = 80;

/** Columns as wide as their widest cell; the last one is cut so that a line fits. */
export function table(rows: readonly (readonly string[])[], indent = '  '): string[] {
  const widths = (rows[0] ?? []).map((_, column) => Math.max(...rows.map((row) => row[column]?.length ?? 0)));
  return rows.map((row) =>
    fit(indent + row.map((cell, column) => cell.padEnd(widths[column] ?? 0)).join('  ')),
  );
}

/** At most `columns` wide, without trailing spaces. */
export function fit(line: string, columns = COLUMNS): string {
  const text = line.trimEnd();
  return text.length > columns ? `${text.slice(0, columns - 1)}…` : text;
}

/** Breaks at spaces; a word that is longer than a line stays whole. */
export function wrap(text: string, indent: string, columns = COLUMNS): string[] {
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
