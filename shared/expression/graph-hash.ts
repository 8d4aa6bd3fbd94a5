import { hash } from 'node:crypto';

import { type ByteWriter, createByteWriter, type Digest } from './canonical-bytes.ts';
import { type Entry, type Graph, type GraphNode, STEP_ENTRIES, tags } from './graph.ts';
import type { Steps } from '../steps.ts';

/**
 * The meaning of a graph as one hash, in time linear in its size however often its nodes are shared.
 *
 * A node is summarized once, without knowing where it is used: its structure with every argument's name erased, and for
 * each free name the places where it stood. A definition takes its arguments' places into its structure, in the order of
 * the arguments, so their names no longer matter. Shadowing needs no special case: a place under an inner definition of the
 * same name already belongs to that definition. (This is hashing modulo alpha-equivalence: Maziarz, Ellis, Lawrence,
 * Fitzgibbon, Peyton Jones, PLDI 2021.) A reference has its target's summary, so inlining makes no difference.
 */
interface Summary {
  readonly structure: Digest;
  /** Free names and their places; undefined for none, as in most nodes. */
  readonly free: Places | undefined;
}
type Places = ReadonlyMap<string, Digest>;

/** The names that are free in each entry, from which scope errors are found. */
export type FreeNames = ReadonlyMap<string, ReadonlyMap<string, unknown>>;

/** No client builds a graph whose functions see so many names at once, and it would take more than linear time. */
export class TooManyNamesError extends Error {
  override readonly name = 'TooManyNamesError';
}

const PLACES_PER_NODE = 8;
const FREE_PLACES = 250_000;

const argumentStructure: Digest = String.fromCharCode(tags.argument);
const here: Digest = '';

/**
 * @param order every entry's key, each after those that it refers to
 * @param reachable the keys that `result` leads to; the others do not affect the hash
 * @throws TooManyNamesError
 */
export function* hashGraph(
  graph: Graph,
  order: readonly string[],
  reachable: ReadonlySet<string>,
): Steps<{ readonly hash: string; readonly freeNames: FreeNames }> {
  const functions = findFunctions(graph, order);
  const summaries = new Map<string, Summary>();
  const context: Context = {
    writer: createByteWriter(),
    summaries,
    functions,
    namesMatter: hasUnknownCallee(graph, reachable, functions),
    places: 0,
    nodes: 0,
  };
  for (const key of order) {
    summaries.set(key, summarize(entryOf(graph, key).node, context));
    if (summaries.size % STEP_ENTRIES === 0) {
      yield;
    }
  }

  const freeNames = new Map<string, Places>();
  for (const [key, { free }] of summaries) {
    if (free) {
      freeNames.set(key, free);
    }
  }

  context.writer.clear();
  context.writer.tag(tags.graph);
  context.writer.digest(summaryOf(summaries, graph.result).structure);
  return { hash: hash('sha256', Buffer.from(context.writer.finish(), 'latin1'), 'hex'), freeNames };
}

interface Context {
  readonly writer: ByteWriter;
  readonly summaries: Map<string, Summary>;
  /** Argument names of the entries that are functions, directly or by reference. */
  readonly functions: ReadonlyMap<string, readonly string[]>;
  readonly namesMatter: boolean;
  places: number;
  nodes: number;
}

function findFunctions(graph: Graph, order: readonly string[]): Map<string, readonly string[]> {
  const functions = new Map<string, readonly string[]>();
  for (const key of order) {
    const { node } = entryOf(graph, key);
    const names =
      node.kind === 'definition'
        ? node.argumentNames
        : node.kind === 'reference'
          ? functions.get(node.target)
          : undefined;
    if (names) {
      functions.set(key, names);
    }
  }
  return functions;
}

/**
 * A call passes its arguments by name. If the function that it calls is known only when the graph runs (an argument, the
 * result of another call), it could be any definition in the graph, so all their names are part of the meaning.
 */
function hasUnknownCallee(
  graph: Graph,
  reachable: ReadonlySet<string>,
  functions: ReadonlyMap<string, readonly string[]>,
): boolean {
  for (const key of reachable) {
    if (entryOf(graph, key).calls.some((target) => !functions.has(target))) {
      return true;
    }
  }
  return false;
}

/** The nesting that the reader allows within one entry bounds this recursion. */
function summarize(node: GraphNode, context: Context): Summary {
  context.nodes += 1;
  const { writer } = context;
  switch (node.kind) {
    case 'constant':
      return { structure: node.value, free: undefined };
    case 'integer':
    case 'bytes':
      writer.clear();
      writer.tag(node.kind === 'integer' ? tags.integer : tags.bytes);
      writer.text(node.text);
      return { structure: writer.finish(), free: undefined };
    case 'argument':
      return { structure: argumentStructure, free: new Map([[node.name, here]]) };
    case 'reference':
      return summaryOf(context.summaries, node.target);
    case 'definition':
      return summarizeDefinition(node, context);
    case 'array': {
      const parts = node.items.map((item) => summarize(item, context));
      writer.clear();
      writer.tag(tags.array);
      for (const part of parts) {
        writer.digest(part.structure);
      }
      return { structure: writer.finish(), free: joinPlaces(parts, context) };
    }
    case 'dictionary': {
      const parts = node.items.map((item) => summarize(item, context));
      writer.clear();
      writer.tag(tags.dictionary);
      for (let part = 0; part < parts.length; part += 1) {
        writer.text(itemAt(node.names, part));
        writer.digest(itemAt(parts, part).structure);
      }
      return { structure: writer.finish(), free: joinPlaces(parts, context) };
    }
    default:
      return summarizeInvocation(node, context);
  }
}

function summarizeInvocation(node: GraphNode & { kind: 'invocation' }, context: Context): Summary {
  const { writer } = context;
  const { callee } = node;
  const formal = 'target' in callee ? context.functions.get(callee.target) : undefined;
  const positions = formal && new Map(formal.map((name, position) => [name, position]));
  const { names, items } = positions ? orderByPosition(node, positions) : node;
  const parts = items.map((item) => summarize(item, context));
  const target = 'target' in callee ? summaryOf(context.summaries, callee.target) : undefined;

  writer.clear();
  if (target) {
    writer.tag(tags.invocationByReference);
    writer.digest(target.structure);
  } else if ('name' in callee) {
    writer.tag(tags.invocationByName);
    writer.text(callee.name);
  }
  for (let part = 0; part < parts.length; part += 1) {
    const name = itemAt(names, part);
    const position = positions?.get(name);
    if (position === undefined) {
      writer.tag(tags.name);
      writer.text(name);
    } else {
      writer.tag(tags.position);
      writer.count(position);
    }
    writer.digest(itemAt(parts, part).structure);
  }
  const structure = writer.finish();
  return { structure, free: joinPlaces(target ? [target, ...parts] : parts, context) };
}

function summarizeDefinition(node: GraphNode & { kind: 'definition' }, context: Context): Summary {
  const { writer } = context;
  const body = summaryOf(context.summaries, node.body);
  writer.clear();
  writer.tag(tags.definition);
  writer.count(node.argumentNames.length);
  for (const name of node.argumentNames) {
    if (context.namesMatter) {
      writer.tag(tags.name);
      writer.text(name);
    }
    const place = body.free?.get(name);
    // The tag distinguishes an unused argument from one that is the whole body.
    writer.tag(place === undefined ? tags.null : tags.position);
    if (place !== undefined) {
      writer.digest(place);
    }
  }
  writer.digest(body.structure);
  const structure = writer.finish();

  if (!body.free) {
    return { structure, free: undefined };
  }
  const free = new Map(body.free);
  for (const name of node.argumentNames) {
    free.delete(name);
  }
  countPlaces(context, body.free.size);
  return { structure, free: free.size > 0 ? free : undefined };
}

/** The places of each free name in a node, from its places in the node's parts. */
function joinPlaces(parts: readonly Summary[], context: Context): Places | undefined {
  if (parts.length === 1) {
    return parts[0]?.free;
  }
  // Most nodes are outside of functions.
  if (!parts.some(({ free }) => free)) {
    return undefined;
  }
  const joined = new Map<string, { part: number; place: Digest }[]>();
  parts.forEach(({ free }, part) => {
    if (!free) {
      return;
    }
    countPlaces(context, free.size);
    for (const [name, place] of free) {
      const known = joined.get(name);
      if (known) {
        known.push({ part, place });
      } else {
        joined.set(name, [{ part, place }]);
      }
    }
  });
  const { writer } = context;
  const places = new Map<string, Digest>();
  for (const [name, occurrences] of joined) {
    writer.clear();
    writer.tag(tags.position);
    for (const { part, place } of occurrences) {
      writer.count(part);
      writer.digest(place);
    }
    places.set(name, writer.finish());
  }
  return places;
}

function countPlaces(context: Context, places: number) {
  context.places += places;
  if (context.places > FREE_PLACES + PLACES_PER_NODE * context.nodes) {
    throw new TooManyNamesError();
  }
}

/** The function's own arguments in its order, then any others. */
function orderByPosition(
  { names, items }: GraphNode & { kind: 'invocation' },
  positions: ReadonlyMap<string, number>,
): { names: readonly string[]; items: readonly GraphNode[] } {
  const positionOf = (index: number) => positions.get(itemAt(names, index)) ?? Infinity;
  // The sort is stable, and the names are sorted.
  const order = [...names.keys()].sort((a, b) =>
    positionOf(a) === positionOf(b) ? 0 : positionOf(a) - positionOf(b),
  );
  return {
    names: order.map((index) => itemAt(names, index)),
    items: order.map((index) => itemAt(items, index)),
  };
}

function itemAt<T>(items: readonly T[], index: number): T {
  return items[index] as T;
}

function entryOf(graph: Graph, key: string): Entry {
  return graph.entries.get(key) as Entry;
}

function summaryOf(summaries: ReadonlyMap<string, Summary>, key: string): Summary {
  return summaries.get(key) as Summary;
}
