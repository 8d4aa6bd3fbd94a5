/**
 * Lays out code in a given width: a group stands on one line if it fits, and breaks at all of its lines otherwise. (The
 * algorithm is that of Wadler, "A prettier printer", in the strict form that Lindig describes.) Marked parts are found again in
 * the result.
 */
export type Doc =
  | string
  | readonly Doc[]
  /** A space, or the end of a line. */
  | { readonly kind: 'line'; readonly flat: string }
  | { readonly kind: 'group'; readonly doc: Doc }
  | { readonly kind: 'indent'; readonly doc: Doc }
  /** A part to be found again. */
  | { readonly kind: 'mark'; readonly id: string; readonly doc: Doc };

export const line: Doc = { kind: 'line', flat: ' ' };
export const softline: Doc = { kind: 'line', flat: '' };
export const group = (...doc: readonly Doc[]): Doc => ({ kind: 'group', doc });
export const indent = (...doc: readonly Doc[]): Doc => ({ kind: 'indent', doc });
export const mark = (id: string, doc: Doc): Doc => ({ kind: 'mark', id, doc });

/** Documents with commas between them, and a comma at the end if they do not fit on one line. */
export const separated = (docs: readonly Doc[]): Doc =>
  docs.flatMap((doc, index) => (index === 0 ? [doc] : [',', line, doc]));

/** Where a marked part begins, and how much of it is on its first line. */
export interface Span {
  readonly line: number;
  readonly column: number;
  readonly length: number;
}

export interface Layout {
  readonly lines: readonly string[];
  readonly spans: ReadonlyMap<string, Span>;
}

interface Item {
  readonly doc: Doc | { readonly kind: 'end'; readonly id: string };
  readonly depth: number;
  readonly isFlat: boolean;
}

export function layOut(docs: readonly Doc[], width: number): Layout {
  const lines = [''];
  const spans = new Map<string, Span>();
  const starts = new Map<string, { line: number; column: number }>();
  // Reversed: the next item is the last one.
  const open: Item[] = docs
    .flatMap((doc, index): Doc[] => (index === 0 ? [doc] : ['\n', doc]))
    .map((doc) => ({ doc, depth: 0, isFlat: false }))
    .reverse();
  const last = (): string => lines.at(-1) ?? '';
  for (let item = open.pop(); item; item = open.pop()) {
    const { doc, depth, isFlat } = item;
    if (doc === '\n') {
      lines.push('');
    } else if (typeof doc === 'string') {
      lines[lines.length - 1] = last() + doc;
    } else if (isDocs(doc)) {
      for (let index = doc.length - 1; index >= 0; index -= 1) {
        open.push({ doc: doc[index] ?? '', depth, isFlat });
      }
    } else if (doc.kind === 'line') {
      if (isFlat) {
        lines[lines.length - 1] = last() + doc.flat;
      } else {
        lines.push('  '.repeat(depth));
      }
    } else if (doc.kind === 'group') {
      open.push({ doc: doc.doc, depth, isFlat: isFlat || fits(doc.doc, width - last().length) });
    } else if (doc.kind === 'indent') {
      open.push({ doc: doc.doc, depth: depth + 1, isFlat });
    } else if (doc.kind === 'mark') {
      starts.set(doc.id, { line: lines.length - 1, column: last().length });
      open.push({ doc: { kind: 'end', id: doc.id }, depth, isFlat }, { doc: doc.doc, depth, isFlat });
    } else {
      const start = starts.get(doc.id);
      if (start) {
        const end = start.line === lines.length - 1 ? last().length : (lines[start.line]?.length ?? 0);
        spans.set(doc.id, { ...start, length: Math.max(1, end - start.column) });
      }
    }
  }
  return { lines: lines.map((text) => text.trimEnd()), spans };
}

const isDocs = (doc: Doc | Item['doc']): doc is readonly Doc[] => Array.isArray(doc);

/** Whether a document fits on the rest of a line. Looks only as far as the line goes. */
function fits(doc: Doc, room: number): boolean {
  let left = room;
  const open: Doc[] = [doc];
  for (let next = open.pop(); next !== undefined; next = open.pop()) {
    if (typeof next === 'string') {
      left -= next.length;
    } else if (isDocs(next)) {
      for (let index = next.length - 1; index >= 0; index -= 1) {
        open.push(next[index] ?? '');
      }
    } else if (next.kind === 'line') {
      left -= next.flat.length;
    } else {
      open.push(next.doc);
    }
    if (left < 0) {
      return false;
    }
  }
  return true;
}
