import type { GraphNode } from './graph.ts';
import { type GraphReader, readName, readTarget } from './graph-reader.ts';

/** Nodes that stand for another node: `argumentReference` and `valueReference`. */

export function readArgument(reader: GraphReader, value: unknown): GraphNode | undefined {
  const name = readName(reader, value, 'the name of an argument of an enclosing function');
  return name === undefined ? undefined : { kind: 'argument', name };
}

export function readReference(reader: GraphReader, value: unknown): GraphNode | undefined {
  const target = readTarget(reader, value);
  return target === undefined ? undefined : { kind: 'reference', target };
}
