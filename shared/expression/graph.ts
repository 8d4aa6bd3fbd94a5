import type { Digest } from './canonical-bytes.ts';

/**
 * An Earth Engine expression graph after it was read: what it computes, without its spelling.
 * Source: https://developers.google.com/earth-engine/reference/rest/Shared.Types/ArrayValue (ValueNode)
 */
export interface Graph {
  readonly entries: ReadonlyMap<string, Entry>;
  readonly result: string;
}

/** One member of `values`. Scopes begin and end only here: the body of a function is always an entry. */
export interface Entry {
  readonly key: string;
  readonly node: GraphNode;
  /** Every entry that it refers to, in the order of appearance, with repetitions. */
  readonly targets: readonly string[];
  /** Those of them that it calls. */
  readonly calls: readonly string[];
}

/** The `names` of members are sorted by their UTF-16 code units, and the `items` are in the same order. */
export type GraphNode =
  | { readonly kind: 'constant'; readonly value: Digest }
  | { readonly kind: 'integer'; readonly text: string }
  | { readonly kind: 'bytes'; readonly text: string }
  | { readonly kind: 'array'; readonly items: readonly GraphNode[] }
  | { readonly kind: 'dictionary'; readonly names: readonly string[]; readonly items: readonly GraphNode[] }
  | { readonly kind: 'definition'; readonly argumentNames: readonly string[]; readonly body: string }
  | {
      readonly kind: 'invocation';
      /** The name of one of Earth Engine's algorithms, or an entry that is (or evaluates to) a function. */
      readonly callee: { readonly name: string } | { readonly target: string };
      readonly names: readonly string[];
      readonly items: readonly GraphNode[];
    }
  | { readonly kind: 'argument'; readonly name: string }
  | { readonly kind: 'reference'; readonly target: string };

/** Reading or hashing this many entries takes about a millisecond. */
export const STEP_ENTRIES = 256;

/** Whatever is hashed begins with one of these bytes, so two different kinds never have the same bytes. */
export const tags = {
  null: 1,
  false: 2,
  true: 3,
  number: 4,
  text: 5,
  list: 6,
  map: 7,
  constant: 16,
  integer: 17,
  bytes: 18,
  array: 19,
  dictionary: 20,
  definition: 21,
  invocationByName: 22,
  invocationByReference: 23,
  argument: 24,
  position: 32,
  name: 33,
  graph: 64,
} as const;
