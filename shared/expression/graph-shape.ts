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
const kinds = { array: 3, dictionary: 4, definition: 5, call: 6, callByReference: 7, text: 8 } as const;

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
    case 'definition': {
      const body = shapeOfEntry(node.body, context);
      return combine(combine(kinds.definition, node.argumentNames.length), body);
    }
    case 'array': {
      const items = node.items.map((item) => shapeOfNode(item, context));
      // Clients write a list of constants in either form.
      return items.every((item) => item === CONSTANT)
        ? CONSTANT
        : items.filter((item, index) => item !== items[index - 1]).reduce(combine, kinds.array);
    }
    case 'dictionary':
      return withMembers(kinds.dictionary, node, context);
    case 'invocation': {
      const { callee } = node;
      if ('name' in callee) {
        return withMembers(combine(kinds.call, textShape(callee.name, context)), node, context);
      }
      // The names of a graph's own functions are arbitrary.
      const called = combine(kinds.callByReference, shapeOfEntry(callee.target, context));
      const items = node.items.map((item) => shapeOfNode(item, context));
      return items.sort(ascending).reduce(combine, called);
    }
  }
}

const shapeOfEntry = (key: string, { shapes }: Context): Shape => shapes.get(key) ?? CONSTANT;

const ascending = (a: Shape, b: Shape): number => a - b;

function withMembers(
  start: Shape,
  { kind, names, items }: GraphNode & { kind: 'dictionary' | 'invocation' },
  context: Context,
): Shape {
  let shape = start;
  let areConstants = true;
  for (let index = 0; index < items.length; index += 1) {
    const item = shapeOfNode(items[index] as GraphNode, context);
    areConstants &&= item === CONSTANT;
    shape = combine(combine(shape, textShape(names[index] as string, context)), item);
  }
  // Clients write a dictionary of constants in either form, as with a list.
  return areConstants && kind === 'dictionary' ? CONSTANT : shape;
}

function textShape(text: string, { texts }: Context): Shape {
  const known = texts.get(text);
  if (known !== undefined) {
    return known;
  }
  let shape: Shape = kinds.text;
  for (let index = 0; index < text.length; index += 1) {
    shape = combine(shape, text.charCodeAt(index));
  }
  texts.set(text, shape);
  return shape;
}

const TWO_32 = 2 ** 32;

/** 53 bits from two numbers of up to 53 bits: two multiplicative lanes, as in cyrb53. */
function combine(shape: Shape, part: number): Shape {
  // The remainder of 2³² as an integer: the operator does that itself, and faster than a division.
  let a = Math.imul(shape ^ 0xdeadbeef, 2654435761) ^ part;
  let b = Math.imul((shape / TWO_32) ^ 0x41c6ce57, 1597334677) ^ (part / TWO_32);
  a = Math.imul(a ^ (a >>> 16), 2246822507) ^ Math.imul(b ^ (b >>> 13), 3266489909);
  b = Math.imul(b ^ (b >>> 16), 2246822507) ^ Math.imul(a ^ (a >>> 13), 3266489909);
  return TWO_32 * (b & 0x1fffff) + (a >>> 0);
}
