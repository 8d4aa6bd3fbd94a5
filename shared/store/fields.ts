import { isJsonObject } from '../json.ts';

/** A document's fields before they are parsed: plain data, Dates and bytes. */
export type Fields = Readonly<Record<string, unknown>>;

/** A deep copy without undefined values, which a document cannot hold. */
export function copyFields(fields: Fields): Record<string, unknown> {
  const copy: Record<string, unknown> = {};
  for (const name of Object.keys(fields)) {
    const value = fields[name];
    if (value !== undefined) {
      copy[name] = copyValue(value);
    }
  }
  return copy;
}

function copyValue(value: unknown): unknown {
  if (typeof value !== 'object' || value === null) {
    return value;
  }
  if (value instanceof Date) {
    return new Date(value);
  }
  if (value instanceof Uint8Array) {
    return new Uint8Array(value);
  }
  if (Array.isArray(value)) {
    return value.map(copyValue);
  }
  return copyFields(value as Fields);
}

/** The difference between two versions of a document, by top-level field. */
export interface FieldChanges {
  readonly set: Readonly<Record<string, unknown>>;
  readonly dropped: readonly string[];
}

/**
 * Only fields that `before` has are dropped: a document's fields beyond its schema are not in `before`, so they stay. The
 * same object counts as equal without a deep comparison, so unchanged parts of a record cost nothing.
 */
export function changedFields(before: Fields, after: Fields): FieldChanges {
  const set: Record<string, unknown> = {};
  for (const [name, value] of Object.entries(after)) {
    if (value !== undefined && !sameValue(before[name], value)) {
      set[name] = value;
    }
  }
  const dropped = Object.keys(before).filter(
    (name) => before[name] !== undefined && after[name] === undefined,
  );
  return { set, dropped };
}

/** Whether a document would store the same for both. */
export function sameValue(a: unknown, b: unknown): boolean {
  if (Object.is(a, b)) {
    return true;
  }
  if (a instanceof Date && b instanceof Date) {
    return a.getTime() === b.getTime();
  }
  if (a instanceof Uint8Array && b instanceof Uint8Array) {
    return Buffer.compare(a, b) === 0;
  }
  if (Array.isArray(a) && Array.isArray(b)) {
    return a.length === b.length && a.every((item, index) => sameValue(item, b[index]));
  }
  if (!isJsonObject(a) || !isJsonObject(b) || a.constructor !== b.constructor) {
    return false;
  }
  return [...new Set([...Object.keys(a), ...Object.keys(b)])].every((name) => sameValue(a[name], b[name]));
}
