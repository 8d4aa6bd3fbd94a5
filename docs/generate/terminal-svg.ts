/** What a program wrote to a terminal, as an SVG image. */

/** Text that was written at a time. */
export interface Written {
  readonly atMs: number;
  readonly text: string;
}

/** Text in one style: an SGR code such as 32 for green, or nothing. */
interface Run {
  readonly text: string;
  readonly style: string;
}
type Row = readonly Run[];

/** A screen, until the next one replaces it. */
interface Screen {
  readonly atMs: number;
  readonly rows: readonly Row[];
}

const FONT_SIZE = 13;
/** Of a monospace font; texts are stretched to it. */
const CELL_WIDTH = 7.8;
const CELL_HEIGHT = 17;
const PADDING = 14;
const styles: Readonly<Record<string, string>> = {
  1: 'font-weight:bold',
  2: 'fill:#8b949e',
  31: 'fill:#ff7b72',
  32: 'fill:#7ee787',
  33: 'fill:#e3b341',
  36: 'fill:#79c0ff',
};

/**
 * The image plays what was written once, and then keeps the last screen; a viewer without animation shows only that one.
 * The background is part of the image, so that the colors are readable on light and on dark pages.
 */
export function renderTerminal(written: readonly Written[], columns: number): string {
  const screens = screensOf(written);
  const last = screens.at(-1)?.rows ?? [];
  const isFixed = last.map((row, y) => screens.every(({ rows }) => isSame(rows[y], row)));
  const width = Math.ceil(columns * CELL_WIDTH) + 2 * PADDING;
  const height = last.length * CELL_HEIGHT + 2 * PADDING;
  return [
    `<svg xmlns="http://www.w3.org/2000/svg" width="${width}" height="${height}" viewBox="0 0 ${width} ${height}">`,
    '<style>',
    `text{font-size:${FONT_SIZE}px;font-family:ui-monospace,SFMono-Regular,Menlo,Consolas,"DejaVu Sans Mono",monospace;fill:#e6edf3}`,
    ...Object.entries(styles).map(([code, style]) => `.s${code}{${style}}`),
    '</style>',
    `<rect x=".5" y=".5" width="${width - 1}" height="${height - 1}" rx="8" fill="#161b22" stroke="#30363d"/>`,
    ...last.flatMap((row, y) => (isFixed[y] ? renderRow(row, y) : [])),
    ...screens.flatMap(({ rows }, index) =>
      startGroup(screens, index).concat(
        rows.flatMap((row, y) => (isFixed[y] ? [] : renderRow(row, y))),
        '</g>',
      ),
    ),
    '</svg>\n',
  ].join('\n');
}

/** Plays what was written on a terminal that knows colors, "cursor up", and "clear line". */
function screensOf(written: readonly Written[]): Screen[] {
  const screens: Screen[] = [];
  const rows: Row[] = [];
  let y = 0;
  let style = '';
  for (const { atMs, text } of written) {
    const [start = '', ...sequences] = text.split('\u001B');
    // Each text begins in the default style.
    for (const sequence of [`[m${start}`, ...sequences]) {
      const [, parameter = '', code, plain = ''] = /^\[(\d*)([AKm])(.*)$/s.exec(sequence) ?? [];
      if (code === 'A') {
        y -= Number(parameter);
      } else if (code === 'K') {
        rows[y] = [];
      } else if (code === 'm') {
        style = parameter in styles ? parameter : '';
      }
      for (const [index, line] of plain.split('\n').entries()) {
        y += Math.min(index, 1);
        rows[y] = (rows[y] ?? []).concat(line === '' ? [] : { text: line, style });
      }
    }
    const shown = rows.slice(0, rows.findLastIndex((row) => row.length > 0) + 1);
    const previous = screens.at(-1);
    if (previous?.atMs === atMs) {
      screens.pop();
    }
    if (!isSame(screens.at(-1)?.rows, shown)) {
      screens.push({ atMs, rows: shown });
    }
  }
  return screens;
}

const isSame = (a: unknown, b: unknown): boolean => JSON.stringify(a) === JSON.stringify(b);

/** A group that is visible while its screen is. */
function startGroup(screens: readonly Screen[], index: number): string[] {
  const seconds = (screen: Screen | undefined) => ((screen?.atMs ?? 0) - (screens[0]?.atMs ?? 0)) / 1000;
  const begin = seconds(screens[index]);
  const next = screens[index + 1];
  return next
    ? [
        '<g visibility="hidden">',
        `<set attributeName="visibility" to="visible" begin="${begin}s" dur="${seconds(next) - begin}s"/>`,
      ]
    : ['<g>', ...(begin > 0 ? [`<set attributeName="visibility" to="hidden" dur="${begin}s"/>`] : [])];
}

/** Each piece between wide gaps has its own place, so that columns align in every font. */
function renderRow(row: Row, y: number): string[] {
  const baseline = PADDING + y * CELL_HEIGHT + FONT_SIZE;
  let start = 0;
  return row.flatMap(({ text, style }) => {
    const styled = style === '' ? '' : ` class="s${style}"`;
    const pieces = Array.from(text.matchAll(/\S+(?: \S+)*/g), ({ 0: piece, index }) => {
      const x = (PADDING + (start + index) * CELL_WIDTH).toFixed(1);
      const length = (piece.length * CELL_WIDTH).toFixed(1);
      return `<text x="${x}" y="${baseline}" textLength="${length}"${styled}>${escape(piece)}</text>`;
    });
    start += text.length;
    return pieces;
  });
}

const escape = (text: string): string =>
  text.replaceAll('&', '&amp;').replaceAll('<', '&lt;').replaceAll('>', '&gt;');
