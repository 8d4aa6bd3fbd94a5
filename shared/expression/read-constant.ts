import type { ByteWriter, Digest } from './canonical-bytes.ts';
import { tags } from './graph.ts';
import type { Path } from '../issues.ts';

/**
 * JSON levels of one constant. EE's own data has under ten; the bound keeps reading it, and `JSON.stringify` when it is
 * sent, from overflowing the stack.
 */
const CONSTANT_LEVELS = 500;

export type ConstantReading =
  | { readonly value: Digest }
  | { readonly problem: { readonly path: Path; readonly message: string } };

/** A constant's canonical bytes: the order of an object's keys does not matter, anything else does. */
export function readConstant(constant: unknown, writer: ByteWriter): ConstantReading {
  const trail: (string | number)[] = [];
  let message: string | undefined;

  const refuse = (reason: string): false => {
    message = reason;
    return false;
  };

  const write = (value: unknown, level: number): boolean => {
    if (typeof value === 'number') {
      // JSON.parse reads 1e400 as Infinity, which would be sent as null.
      if (!Number.isFinite(value)) {
        return refuse('found a number beyond ±1.8e308; allowed: a double');
      }
      writer.tag(tags.number);
      writer.number(value);
      return true;
    }
    if (typeof value === 'string') {
      if (!value.isWellFormed()) {
        return refuse(brokenText);
      }
      writer.tag(tags.text);
      writer.text(value);
      return true;
    }
    if (typeof value === 'boolean') {
      writer.tag(value ? tags.true : tags.false);
      return true;
    }
    if (value === null) {
      writer.tag(tags.null);
      return true;
    }
    if (typeof value !== 'object') {
      return refuse('is missing; allowed: any JSON value');
    }
    if (level > CONSTANT_LEVELS) {
      return refuse(
        `is nested more than ${CONSTANT_LEVELS} levels deep; allowed: a constant of fewer levels`,
      );
    }
    return Array.isArray(value) ? writeList(value, level) : writeMap(value as Record<string, unknown>, level);
  };

  const writeList = (items: readonly unknown[], level: number): boolean => {
    writer.tag(tags.list);
    writer.count(items.length);
    for (let index = 0; index < items.length; index += 1) {
      if (!write(items[index], level + 1)) {
        trail.push(index);
        return false;
      }
    }
    return true;
  };

  const writeMap = (map: Readonly<Record<string, unknown>>, level: number): boolean => {
    const keys = Object.keys(map).sort();
    writer.tag(tags.map);
    writer.count(keys.length);
    for (const key of keys) {
      if (!isUsableName(key) || !writeMember(key, map[key], level)) {
        message ??= unusableName;
        trail.push(key);
        return false;
      }
    }
    return true;
  };

  const writeMember = (key: string, value: unknown, level: number): boolean => {
    writer.text(key);
    return write(value, level + 1);
  };

  writer.clear();
  writer.tag(tags.constant);
  if (write(constant, 1)) {
    return { value: writer.finish() };
  }
  return { problem: { path: trail.reverse(), message: message ?? unusableName } };
}

/** Half a surrogate pair has no UTF-8: it could be neither sent nor hashed as what it is. */
export const brokenText = 'found text with half a surrogate pair; allowed: text that can be encoded in UTF-8';

export const unusableName =
  'found a name that cannot be used; allowed: any but __proto__, encodable in UTF-8';

/** `__proto__` would set a prototype instead of a field wherever an object is copied. */
export function isUsableName(name: string): boolean {
  return name !== '__proto__' && name.isWellFormed();
}
