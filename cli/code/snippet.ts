import type { PlacedFinding } from '../../shared/expression/check/report.ts';
import type { JsonObject } from '../../shared/json.ts';
import { wrap } from '../screen.ts';
import { paint, type Terminal } from '../terminal.ts';
import { printable } from '../text.ts';
import { codeOf, markOf } from '../../shared/expression/code/expression-code.ts';
import type { Layout, Span } from '../../shared/expression/code/layout.ts';

/** Findings under the code that they are about, as a compiler shows them. */

const GUTTER = 8;
const MIN_WIDTH = 60;
/** Without a terminal. */
const COLUMNS = 80;

export interface ShownCode {
  readonly layout: Layout;
  readonly width: number;
}

export function layOutCode(terminal: Terminal, expression: object): ShownCode {
  const width = Number.isFinite(terminal.columns) ? Math.max(MIN_WIDTH, terminal.columns) : COLUMNS;
  const { values, result } = expression as { values: JsonObject; result: string };
  return { layout: codeOf({ values, result }, width - GUTTER), width };
}

/** The code that a finding is about: the call or the argument at its path, or the closest one around it. */
function spanOf({ spans }: Layout, { place }: PlacedFinding): Span | undefined {
  for (let length = place.length; length > 0; length -= 1) {
    const part = place.slice(0, length);
    const span =
      spans.get(markOf('node', part)) ??
      (length === place.length ? spans.get(markOf('argument', part)) : undefined);
    if (span) {
      return span;
    }
  }
  return undefined;
}

const gutter = (text: string): string => `${text.padStart(GUTTER - 3)} | `;

function codeLine({ layout, width }: ShownCode, index: number): string {
  const text = `${gutter(String(index + 1))}${printable(layout.lines[index] ?? '')}`.trimEnd();
  return text.length > width ? `${text.slice(0, width - 1)}…` : text;
}

function underline(terminal: Terminal, shown: ShownCode, span: Span, severity: string): string {
  const start = Math.min(span.column, shown.width - GUTTER - 1);
  const room = Math.max(1, shown.width - GUTTER - start);
  const carets = '^'.repeat(Math.min(span.length, room));
  return `${gutter('')}${' '.repeat(start)}${paint(terminal, colorOf(severity), carets)}`;
}

const colorOf = (severity: string): 'red' | 'yellow' => (severity === 'ERROR' ? 'red' : 'yellow');

/** One finding, with the line that it is about and those around it. */
export function writeFinding(terminal: Terminal, shown: ShownCode, finding: PlacedFinding): void {
  const { severity, code, message, suggestion } = finding;
  const start = `${severity.toLowerCase()} ${code}: `;
  const [first = '', ...rest] = wrap(printable(`${start}${message}`), '', shown.width);
  const heading = first.slice(0, start.length);
  terminal.out(`${paint(terminal, colorOf(severity), heading)}${first.slice(start.length)}`);
  for (const text of rest) {
    terminal.out(text);
  }
  const span = spanOf(shown.layout, finding);
  if (span) {
    for (let index = Math.max(0, span.line - 1); index <= span.line; index += 1) {
      terminal.out(codeLine(shown, index));
    }
    terminal.out(underline(terminal, shown, span, severity));
    if (span.line + 1 < shown.layout.lines.length) {
      terminal.out(codeLine(shown, span.line + 1));
    }
  }
  for (const [index, text] of wrap(printable(suggestion), '', shown.width - 4).entries()) {
    terminal.out(`${index === 0 ? '  = ' : '    '}${text}`);
  }
  for (const text of breakPath(`at ${printable(finding.path)}`, shown.width - 4)) {
    terminal.out(`    ${text}`);
  }
}

/** A path on as many lines as it needs, each of which ends before a dot. */
function breakPath(path: string, columns: number): string[] {
  const lines = [''];
  for (const part of path.split(/(?=\.)/)) {
    const last = lines.at(-1) ?? '';
    if (last !== '' && last.length + part.length > columns) {
      lines.push(part);
    } else {
      lines[lines.length - 1] = last + part;
    }
  }
  return lines;
}

/** All of the code, with each finding under its line. */
export function writeCode(terminal: Terminal, shown: ShownCode, findings: readonly PlacedFinding[]): void {
  const byLine = new Map<number, { finding: PlacedFinding; span: Span }[]>();
  for (const finding of findings) {
    const span = spanOf(shown.layout, finding);
    if (span) {
      byLine.set(span.line, [...(byLine.get(span.line) ?? []), { finding, span }]);
    }
  }
  for (const index of shown.layout.lines.keys()) {
    terminal.out(codeLine(shown, index));
    for (const { finding, span } of byLine.get(index) ?? []) {
      terminal.out(underline(terminal, shown, span, finding.severity));
      const text = `${finding.severity.toLowerCase()} ${finding.code}: ${finding.message}`;
      for (const part of wrap(printable(text), '', shown.width - GUTTER)) {
        terminal.out(`${gutter('')}${part}`);
      }
    }
  }
}
