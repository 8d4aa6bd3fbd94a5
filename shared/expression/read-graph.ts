import { createByteWriter } from './canonical-bytes.ts';
import { type Entry, type Graph, type GraphNode, STEP_ENTRIES } from './graph.ts';
import { at, fieldsOf, type GraphReader, readMember, readTarget, reject } from './graph-reader.ts';
import type { IssueList } from '../issues.ts';
import { isJsonObject, type JsonObject } from '../json.ts';
import type { Steps } from '../steps.ts';
import { readBytes, readConstant, readInteger } from './read-constants.ts';
import { readArray, readDictionary } from './read-containers.ts';
import { readDefinition, readInvocation } from './read-functions.ts';
import { readArgument, readReference } from './read-references.ts';

/** Earth Engine's own limit (its clients stop inlining at 50). It also bounds this reader's recursion. */
const NESTED_NODES = 100;

type ReadKind = (reader: GraphReader, value: unknown, depth: number) => GraphNode | undefined;

const readKind: ReadonlyMap<string, ReadKind> = new Map<string, ReadKind>([
  ['constantValue', readConstant],
  ['integerValue', readInteger],
  ['bytesValue', readBytes],
  ['arrayValue', readArray],
  ['dictionaryValue', readDictionary],
  ['functionDefinitionValue', readDefinition],
  ['functionInvocationValue', readInvocation],
  ['argumentReference', readArgument],
  ['valueReference', readReference],
]);
const kinds = [...readKind.keys()].join(', ');

/**
 * Reads an expression's nodes one by one, and stops when the list of issues is full. Cycles and scopes, which concern
 * several entries at once, are the caller's task.
 *
 * @param base the expression's own path, `['request', 'expression']`
 * @returns what could be read, with an issue for each part that could not; undefined if nothing could be read
 */
export function* readGraph(
  expression: unknown,
  base: readonly string[],
  issues: IssueList,
): Steps<Graph | undefined> {
  const reader: GraphReader = {
    path: [...base],
    issues,
    writer: createByteWriter(),
    values: {},
    targets: [],
    calls: [],
    readNode,
  };
  const fields = fieldsOf(reader, expression, ['values', 'result'], 'an object with values and result');
  if (!fields) {
    return undefined;
  }
  const { values } = fields;
  if (!isJsonObject(values)) {
    at(reader, 'values', () => reject(reader, values, 'an object of value nodes'));
    return undefined;
  }
  reader.values = values;

  reader.path.push('values');
  const entries = yield* readEntries(reader);
  reader.path.pop();
  // What `result` refers to is not a target of the last entry.
  reader.targets = [];
  const result = at(reader, 'result', () => readTarget(reader, fields['result']));
  return result === undefined ? undefined : { entries, result };
}

function* readEntries(reader: GraphReader): Steps<Map<string, Entry>> {
  const { issues, values } = reader;
  const entries = new Map<string, Entry>();
  for (const key of Object.keys(values)) {
    if (issues.isFull) {
      break;
    }
    reader.targets = [];
    reader.calls = [];
    const node = readMember(reader, key, values[key], 1);
    if (node) {
      entries.set(key, { key, node, targets: reader.targets, calls: reader.calls });
    }
    if (entries.size % STEP_ENTRIES === 0) {
      yield;
    }
  }
  return entries;
}

function readNode(reader: GraphReader, value: unknown, depth: number): GraphNode | undefined {
  const { issues, path } = reader;
  if (depth > NESTED_NODES) {
    issues.add(
      path,
      `is nested more than ${NESTED_NODES} nodes deep; allowed: ${NESTED_NODES} within one entry of values, and any number by references`,
    );
    return undefined;
  }
  if (!isJsonObject(value)) {
    return reject(reader, value, `a value node, an object with one of ${kinds}`);
  }
  // Object.keys would create an array for each node.
  let key = '';
  let keys = 0;
  for (key in value) {
    keys += 1;
  }
  const read = readKind.get(key);
  if (keys !== 1 || !read) {
    return rejectNode(reader, Object.keys(value), value);
  }
  path.push(key);
  const node = read(reader, value[key], depth);
  path.pop();
  return node;
}

function rejectNode(reader: GraphReader, keys: readonly string[], value: JsonObject): undefined {
  const { issues, path } = reader;
  for (const key of keys) {
    if (issues.isFull) {
      break;
    }
    if (!readKind.has(key)) {
      issues.add([...path, key], `is not a field of a value node; allowed: ${kinds}`);
    }
  }
  if (keys.filter((key) => readKind.has(key)).length !== 1) {
    reject(reader, value, `exactly one of ${kinds}`);
  }
}
