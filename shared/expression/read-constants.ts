import type { ByteWriter } from './canonical-bytes.ts';
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
export function readConstant(reader: GraphReader, constant: unknown): GraphNode | undefined {
  const { path, issues, writer } = reader;
  writer.clear();
  writer.tag(tags.constant);
  const flaw = write(writer, constant, 1);
  if (!flaw) {
    return { kind: 'constant', value: writer.finish() };
  }
  issues.add([...path, ...flaw.trail.reverse()], flaw.message);
  return undefined;
}

/** What is wrong with a constant, and where: the keys to it, the last one first. */
interface Flaw {
  readonly message: string;
  readonly trail: (string | number)[];
}

const flawed = (message: string): Flaw => ({ message, trail: [] });

function write(writer: ByteWriter, value: unknown, level: number): Flaw | undefined {
  if (typeof value === 'number') {
    if (!Number.isFinite(value)) {
      return flawed(infiniteNumber);
    }
    writer.tag(tags.number);
    writer.number(value);
    return undefined;
  }
  if (typeof value === 'string') {
    if (!value.isWellFormed()) {
      return flawed(brokenText);
    }
    writer.tag(tags.text);
    writer.text(value);
    return undefined;
  }
  if (typeof value === 'boolean') {
    writer.tag(value ? tags.true : tags.false);
    return undefined;
  }
  if (value === null) {
    writer.tag(tags.null);
    return undefined;
  }
  if (typeof value !== 'object') {
    return flawed('is missing; allowed: any JSON value');
  }
  if (level > CONSTANT_LEVELS) {
    return flawed(`is nested more than ${CONSTANT_LEVELS} levels deep; allowed: a constant of fewer levels`);
  }
  return Array.isArray(value)
    ? writeList(writer, value, level)
    : writeMap(writer, value as Record<string, unknown>, level);
}

function writeList(writer: ByteWriter, items: readonly unknown[], level: number): Flaw | undefined {
  writer.tag(tags.list);
  writer.count(items.length);
  for (let index = 0; index < items.length; index += 1) {
    const flaw = write(writer, items[index], level + 1);
    if (flaw) {
      flaw.trail.push(index);
      return flaw;
    }
  }
  return undefined;
}

function writeMap(
  writer: ByteWriter,
  map: Readonly<Record<string, unknown>>,
  level: number,
): Flaw | undefined {
  const keys = Object.keys(map).sort();
  writer.tag(tags.map);
  writer.count(keys.length);
  for (const key of keys) {
    let flaw = isUsableName(key) ? undefined : flawed(unusableName);
    if (!flaw) {
      writer.text(key);
      flaw = write(writer, map[key], level + 1);
    }
    if (flaw) {
      flaw.trail.push(key);
      return flaw;
    }
  }
  return undefined;
}
