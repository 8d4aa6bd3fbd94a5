import type { Cli } from './cli.ts';
import { table } from './screen.ts';
import { paint } from './terminal.ts';

/** How results are written: as tables for people, as CSV, or only their ids. JSON is the commands' own. */

export const formats = ['table', 'json', 'csv'] as const;
export type Format = (typeof formats)[number];

/** One JSON value on one line, with dates in ISO 8601. */
export function writeJson({ terminal }: Pick<Cli, 'terminal'>, value: unknown): void {
  terminal.out(JSON.stringify(value));
}

/** A hint for people, such as how to go on. */
export function note({ terminal, isQuiet }: Pick<Cli, 'terminal' | 'isQuiet'>, text: string): void {
  if (!isQuiet) {
    terminal.err(text);
  }
}

type Rows = readonly (readonly string[])[];

export interface Table {
  readonly header: readonly string[];
  readonly rows: Rows;
  /** What `--quiet` prints instead, one per row. */
  readonly ids: readonly string[];
  /** Colors a line, given the index of its row. */
  readonly paintRow?: (line: string, index: number) => string;
  /** Default: the same as for people. */
  readonly csv?: { readonly header: readonly string[]; readonly rows: Rows };
}

export function writeTable(cli: Cli, { header, rows, ids, paintRow = (line) => line, csv }: Table): void {
  const { terminal } = cli;
  if (cli.isQuiet) {
    for (const id of ids) {
      terminal.out(id);
    }
    return;
  }
  if (cli.format === 'csv') {
    writeCsv(cli, csv?.header ?? header.map((name) => name.toLowerCase()), csv?.rows ?? rows);
    return;
  }
  const [title = '', ...lines] = table([header, ...rows], '', terminal.columns);
  terminal.out(paint(terminal, 'bold', title));
  for (const [index, line] of lines.entries()) {
    terminal.out(paintRow(line, index));
  }
}

/** RFC 4180, with the line ends of the platform's tools. */
function writeCsv({ terminal }: Cli, header: readonly string[], rows: Rows): void {
  for (const row of [header, ...rows]) {
    terminal.out(row.map((cell) => csvCell(cell.trim())).join(','));
  }
}

/** A spreadsheet would run a cell that starts like a formula, and senders choose job keys and messages. */
function csvCell(text: string): string {
  const safe = /^[=+\-@\t\r]/.test(text) ? `'${text}` : text;
  return /[",\n\r]/.test(safe) ? `"${safe.replaceAll('"', '""')}"` : safe;
}
