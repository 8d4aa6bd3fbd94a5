import { type GraphNode, tags } from './graph.ts';
import { type GraphReader, reject } from './graph-reader.ts';
import { brokenText, infiniteNumber, isUsableName, unusableName } from '../json.ts';

/** Nodes without other nodes in them: `constantValue`, `integerValue` and `bytesValue`. */

/**
 * JSON levels of one constant. Earth Engine's own data has fewer than ten. The bound keeps this reader from overflowing the
 * stack, and `JSON.stringify` when the constant is sent.
 */
const CONSTANT_LEVELS = 500;

const INT64_MIN = -(2n ** 63n);
const INT64_MAX = 2n ** 63n - 1n;

export function readInteger(reader: GraphReader, value: unknown): GraphNode | undefined {
  return isInt64(value)
    ? { kind: 'integer', text: value }
    : reject(reader, value, 'an int64 as a string of digits');
}

export function readBytes(reader: GraphReader, value: unknown): GraphNode | undefined {
  return isBase64(value) ? { kind: 'bytes', text: value } : reject(reader, value, 'base64 with its padding');
}

function isInt64(value: unknown): value is string {
  if (typeof value !== 'string' || !/^(?:0|-?[1-9]\d{0,18})$/.test(value)) {
    return false;
  }
  const number = BigInt(value);
  return number >= INT64_MIN && number <= INT64_MAX;
}

function isBase64(value: unknown): value is string {
  return typeof value === 'string' && value.length % 4 === 0 && /^[A-Za-z0-9+/]*={0,2}$/.test(value);
}

/** Reduces a constant to its canonical bytes, in which only the order of an object's keys makes no difference. */
export function readConstant(
  { path, issues, writer }: GraphReader,
  constant: unknown,
): GraphNode | undefined {
  const trail: (string | number)[] = [];
  let message: string | undefined;

  const fail = (reason: string): false => {
    message = reason;
    return false;
  };

  const write = (value: unknown, level: number): boolean => {
    if (typeof value === 'number') {
      if (!Number.isFinite(value)) {
        return fail(infiniteNumber);
      }
      writer.tag(tags.number);
      writer.number(value);
      return true;
    }
    if (typeof value === 'string') {
      if (!value.isWellFormed()) {
        return fail(brokenText);
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
      return fail('is missing; allowed: any JSON value');
    }
    if (level > CONSTANT_LEVELS) {
      return fail(`is nested more than ${CONSTANT_LEVELS} levels deep; allowed: a constant of fewer levels`);
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
    return { kind: 'constant', value: writer.finish() };
  }
  issues.add([...path, ...trail.reverse()], message ?? unusableName);
  return undefined;
}
