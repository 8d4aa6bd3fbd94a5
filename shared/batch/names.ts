import { describe } from '../issues.ts';
import type { Manifest } from './manifest.ts';
import { type Hole, insideOf } from './template.ts';

/** What each name in a template stands for: a value that differs between combinations, or is the same in all. */

/** A value in the forms in which it is filled in: made once for thousands of jobs. */
export interface Cell {
  readonly value: unknown;
  /** As JSON. */
  readonly json: string;
  /** As the inside of a JSON string; undefined if it cannot be inserted into text. */
  readonly inside: string | undefined;
}

/** A name's values: one for each value of its axis, or a single one that is the same in every combination. */
export interface Source {
  /** The index of its axis; undefined if the value is the same in every combination. */
  readonly axis: number | undefined;
  /** @returns the problem if there is no value */
  cell(valueIndex: number): Cell | { readonly problem: string };
}

export interface Names {
  /** The source of a name, or the problem if it has no value in any combination. */
  source(name: string): Source | { readonly problem: string };
}

export function createNames(manifest: Manifest): Names {
  const roots = new Map<string, { axis: number | undefined; values: readonly unknown[]; unknown?: string }>([
    ['batchId', { axis: undefined, values: [manifest.batchId] }],
    ['run', { axis: undefined, values: [manifest.run] }],
  ]);
  for (const [name, date] of manifest.dates) {
    roots.set(
      name,
      'date' in date
        ? { axis: undefined, values: [date.date] }
        : { axis: undefined, values: [], unknown: date.unknown },
    );
  }
  manifest.axes.forEach(({ name, values }, axis) => roots.set(name, { axis, values }));
  const sources = new Map<string, ReturnType<Names['source']>>();

  const find = (name: string): ReturnType<Names['source']> => {
    const [first = '', ...fields] = name.split('.');
    const root = roots.get(first);
    if (!root) {
      return { problem: `is not known; allowed: ${[...roots.keys()].join(', ')} and their fields` };
    }
    if (root.unknown !== undefined) {
      return { problem: `cannot be computed: ${root.unknown}` };
    }
    const { axis, values } = root;
    const cells: (ReturnType<Source['cell']> | undefined)[] = [];
    return {
      axis,
      cell: (valueIndex) => (cells[valueIndex] ??= cellOf(values[valueIndex], fields)),
    };
  };
  return {
    source: (name) => {
      const known = sources.get(name) ?? find(name);
      sources.set(name, known);
      return known;
    },
  };
}

function cellOf(root: unknown, fields: readonly string[]): Cell | { problem: string } {
  let value = root;
  for (const field of fields) {
    const isMember = Array.isArray(value)
      ? /^(?:0|[1-9]\d*)$/.test(field)
      : typeof value === 'object' && value !== null;
    if (!isMember || !Object.hasOwn(value as object, field)) {
      return { problem: `has no ${JSON.stringify(field)} there, but ${describe(value)}` };
    }
    value = (value as Record<string, unknown>)[field];
  }
  const inside =
    typeof value === 'string'
      ? insideOf(value)
      : typeof value === 'number' || typeof value === 'boolean'
        ? String(value)
        : undefined;
  return { value, json: JSON.stringify(value), inside };
}

/** Why a value cannot be filled in at a hole; undefined if it can. */
export function problemOf(hole: Hole, cell: ReturnType<Source['cell']>): string | undefined {
  if ('problem' in cell) {
    return cell.problem;
  }
  return hole.inText && cell.inside === undefined
    ? `is ${describe(cell.value)} there; allowed within a longer text: text, a number, true or false`
    : undefined;
}
