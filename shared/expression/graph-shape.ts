import type { Graph, GraphNode } from './graph.ts';
import { STEP_ENTRIES } from './graph.ts';
import type { Steps } from '../steps.ts';

/**
 * The shape of a graph: what it computes, with its constants abstracted. Two years of one timelapse have the same shape, and
 * therefore comparable costs.
 *
 * It only groups jobs for estimates, so a hash of 53 bits that is cheap to compute is enough: two shapes that collide make an
 * estimate worse, and nothing else. Neither names of nodes nor inlining matter, nor how often a list repeats an element.
 */
type Shape = number;

const CONSTANT: Shape = 1;
const ARGUMENT: Shape = 2;
const kinds = { array: 3, dictionary: 4, definition: 5, call: 6, callByReference: 7 } as const;

/** @param order every entry's key, each after those that it refers to */
export function* shapeOf(graph: Graph, order: readonly string[]): Steps<string> {
  const shapes = new Map<string, Shape>();
  const context = { shapes, texts: new Map<string, Shape>() };
  for (const key of order) {
    const entry = graph.entries.get(key);
    if (entry) {
      shapes.set(key, shapeOfNode(entry.node, context));
    }
    if (shapes.size % STEP_ENTRIES === 0) {
      yield;
    }
  }
  return (shapes.get(graph.result) ?? CONSTANT).toString(16).padStart(14, '0');
}

interface Context {
  readonly shapes: ReadonlyMap<string, Shape>;
  /** Names repeat, so each is hashed once. */
  readonly texts: Map<string, Shape>;
}

/** The nesting that the reader allows within one entry bounds this recursion. */
function shapeOfNode(node: GraphNode, context: Context): Shape {
  switch (node.kind) {
    case 'constant':
    case 'integer':
    case 'bytes':
      return CONSTANT;
    case 'argument':
      return ARGUMENT;
    case 'reference':
      return shapeOfEntry(node.target, context);
    case 'definition':
      return mix([kinds.definition, node.argumentNames.length, shapeOfEntry(node.body, context)]);
    case 'array': {
      const items = node.items.map((item) => shapeOfNode(item, context));
      // Clients write a list of constants in either form.
      return items.every((item) => item === CONSTANT)
        ? CONSTANT
        : mix([kinds.array, ...items.filter((item, index) => item !== items[index - 1])]);
    }
    case 'dictionary': {
      const items = node.items.map((item) => shapeOfNode(item, context));
      return items.every((item) => item === CONSTANT)
        ? CONSTANT
        : mix([kinds.dictionary, ...named(node.names, items, context)]);
    }
    case 'invocation': {
      const items = node.items.map((item) => shapeOfNode(item, context));
      const { callee } = node;
      return 'name' in callee
        ? mix([kinds.call, textShape(callee.name, context), ...named(node.names, items, context)])
        : // The names of a graph's own functions are arbitrary.
          mix([kinds.callByReference, shapeOfEntry(callee.target, context), ...items.sort(ascending)]);
    }
  }
}

const shapeOfEntry = (key: string, { shapes }: Context): Shape => shapes.get(key) ?? CONSTANT;

const ascending = (a: number, b: number): number => a - b;

/** Members in any order: each is mixed with its name. */
const named = (names: readonly string[], items: readonly Shape[], context: Context): Shape[] =>
  items.map((item, index) => mix([textShape(names[index] ?? '', context), item])).sort(ascending);

function textShape(text: string, { texts }: Context): Shape {
  const known = texts.get(text);
  if (known !== undefined) {
    return known;
  }
  const shape = mix(Array.from(text, (character) => character.codePointAt(0) ?? 0));
  texts.set(text, shape);
  return shape;
}

const TWO_32 = 2 ** 32;

/** 53 bits from a list of numbers of up to 53 bits: two multiplicative lanes, as in cyrb53. */
function mix(parts: readonly number[]): Shape {
  let a = 0xdeadbeef;
  let b = 0x41c6ce57;
  for (const part of parts) {
    // The remainder of 2³² as an integer: the operator does that itself, and faster than a division.
    const low = part | 0;
    const high = (part / TWO_32) | 0;
    a = Math.imul(a ^ low, 2654435761) ^ (a >>> 15);
    b = Math.imul(b ^ high ^ low, 1597334677) ^ (b >>> 13);
  }
  a = Math.imul(a ^ (a >>> 16), 2246822507) ^ Math.imul(b ^ (b >>> 13), 3266489909);
  b = Math.imul(b ^ (b >>> 16), 2246822507) ^ Math.imul(a ^ (a >>> 13), 3266489909);
  return TWO_32 * (b & 0x1fffff) + (a >>> 0);
}
