import type { GraphNode } from './graph.ts';
import { at, fieldsOf, type GraphReader, readMember, reject } from './graph-reader.ts';
import { isJsonObject } from '../json.ts';

/** Nodes that hold other nodes: `arrayValue` and `dictionaryValue`. */

export function readArray(reader: GraphReader, value: unknown, depth: number): GraphNode | undefined {
  const fields = fieldsOf(reader, value, ['values'], 'an object with values');
  if (!fields) {
    return undefined;
  }
  const nodes = fields['values'] ?? [];
  return at(reader, 'values', () => ({ kind: 'array', items: readItems(reader, nodes, depth) }));
}

function readItems(reader: GraphReader, nodes: unknown, depth: number): GraphNode[] {
  const items: GraphNode[] = [];
  if (!Array.isArray(nodes)) {
    reject(reader, nodes, 'an array of value nodes');
    return items;
  }
  for (let index = 0; index < nodes.length && !reader.issues.isFull; index += 1) {
    const node = at(reader, index, () => reader.readNode(reader, nodes[index], depth + 1));
    if (node) {
      items.push(node);
    }
  }
  return items;
}

export function readDictionary(reader: GraphReader, value: unknown, depth: number): GraphNode | undefined {
  const fields = fieldsOf(reader, value, ['values'], 'an object with values');
  const members = fields && at(reader, 'values', () => readMembers(reader, fields['values'], depth));
  return members && { kind: 'dictionary', ...members };
}

/** The members of a dictionary or the arguments of a call, at the current path. */
export function readMembers(
  reader: GraphReader,
  value: unknown = {},
  depth: number,
): { names: string[]; items: GraphNode[] } {
  const names: string[] = [];
  const items: GraphNode[] = [];
  if (!isJsonObject(value)) {
    reject(reader, value, 'an object of value nodes');
    return { names, items };
  }
  for (const name of Object.keys(value)) {
    if (reader.issues.isFull) {
      break;
    }
    const node = readMember(reader, name, value[name], depth + 1);
    if (node) {
      names.push(name);
      items.push(node);
    }
  }
  return { names, items };
}
