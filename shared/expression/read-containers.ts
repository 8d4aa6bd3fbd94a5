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
  return members && { kind: 'dictionary', names: members.names, items: members.items };
}

/**
 * The members of a dictionary or the arguments of a call, at the current path. Sorted by name, since their order means
 * nothing: whoever hashes them needs one order.
 */
export function readMembers(
  reader: GraphReader,
  value: unknown = {},
  depth: number,
): { names: string[]; items: GraphNode[] } | undefined {
  if (!isJsonObject(value)) {
    return reject(reader, value, 'an object of value nodes');
  }
  const names = sort(Object.keys(value));
  const items: GraphNode[] = [];
  for (const name of names) {
    const node = reader.issues.isFull ? undefined : readMember(reader, name, value[name], depth + 1);
    if (node) {
      items.push(node);
    }
  }
  return items.length === names.length ? { names, items } : undefined;
}

const FEW_NAMES = 16;

/** Sorts names by their UTF-16 code units. Nearly all objects have a few, which `Array.sort` takes several times as long for. */
function sort(names: string[]): string[] {
  if (names.length > FEW_NAMES) {
    return names.sort();
  }
  for (let end = 1; end < names.length; end += 1) {
    const name = names[end] as string;
    let place = end;
    for (; place > 0 && (names[place - 1] as string) > name; place -= 1) {
      names[place] = names[place - 1] as string;
    }
    names[place] = name;
  }
  return names;
}
