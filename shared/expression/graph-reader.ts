import type { ByteWriter } from './canonical-bytes.ts';
import type { GraphNode } from './graph.ts';
import { type IssueList, mismatch } from '../issues.ts';
import { brokenText, isJsonObject, isUsableName, type JsonObject, unusableName } from '../json.ts';

/** The state of one walk through an expression, passed to the functions that read each kind of node. */
export interface GraphReader {
  /** One path for the whole walk, pushed and popped: most graphs have tens of thousands of nodes and no issue. */
  readonly path: (string | number)[];
  readonly issues: IssueList;
  readonly writer: ByteWriter;
  /** The expression's `values`. */
  values: JsonObject;
  /** The entries that the current entry refers to, and those of them that it calls. */
  targets: string[];
  calls: string[];
  /** Reads a node of any kind: containers and calls have nodes within them. */
  readonly readNode: (reader: GraphReader, value: unknown, depth: number) => GraphNode | undefined;
}

/** Runs `read` with `key` at the end of the path. */
export function at<T>(reader: GraphReader, key: string | number, read: () => T): T {
  reader.path.push(key);
  const result = read();
  reader.path.pop();
  return result;
}

/** Adds an issue at the current path. */
export function reject({ issues, path }: GraphReader, found: unknown, allowed: string): undefined {
  issues.add(path, mismatch(found, allowed));
  return undefined;
}

/** The object at the current path, with no other fields than these. */
export function fieldsOf(
  reader: GraphReader,
  value: unknown,
  known: readonly string[],
  allowed: string,
): JsonObject | undefined {
  if (!isJsonObject(value)) {
    return reject(reader, value, allowed);
  }
  const { issues, path } = reader;
  for (const key in value) {
    if (issues.isFull) {
      break;
    }
    if (!known.includes(key)) {
      issues.add([...path, key], `is not a field; allowed: ${known.join(', ')}`);
    }
  }
  return value;
}

/** The node at a key that the sender chose. */
export function readMember(
  reader: GraphReader,
  name: string,
  value: unknown,
  depth: number,
): GraphNode | undefined {
  const { issues, path } = reader;
  path.push(name);
  if (!isUsableName(name)) {
    issues.add(path, unusableName);
  }
  const node = reader.readNode(reader, value, depth);
  path.pop();
  return node;
}

export function readName(reader: GraphReader, value: unknown, allowed: string): string | undefined {
  if (typeof value !== 'string' || value === '') {
    return reject(reader, value, allowed);
  }
  if (!isUsableName(value)) {
    reader.issues.add(reader.path, value.isWellFormed() ? unusableName : brokenText);
    return undefined;
  }
  return value;
}

/** A key of `values`. */
export function readTarget(reader: GraphReader, value: unknown): string | undefined {
  const target = readName(reader, value, 'a key of values');
  if (target === undefined) {
    return undefined;
  }
  if (!Object.hasOwn(reader.values, target)) {
    return reject(reader, target, 'a key that values has');
  }
  reader.targets.push(target);
  return target;
}
