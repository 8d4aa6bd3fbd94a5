import type { JsonObject } from '../../json.ts';

/**
 * What is known of a node's value without computing it: the domain of the abstract interpretation. `UNKNOWN` is the value of
 * everything that is not certain, and nothing unknown is ever an error.
 */
export type Value =
  | { readonly kind: 'Unknown' }
  | { readonly kind: 'Number'; readonly value: number | undefined }
  | { readonly kind: 'String'; readonly value: string | undefined }
  | { readonly kind: 'Boolean'; readonly value: boolean | undefined }
  | ListValue
  | DictionaryValue
  | ImageValue
  | CollectionValue
  | FunctionValue
  /** Types of which nothing but the name is known, such as `Filter`. */
  | { readonly kind: OpaqueKind; readonly of?: unknown };

/** Types of which nothing but the name, and sometimes a constant, is known. */
export const opaqueKinds = [
  'Array',
  'Blob',
  'Classifier',
  'Clusterer',
  'ConfusionMatrix',
  'Date',
  'DateRange',
  'ErrorMargin',
  'Feature',
  'Filter',
  'Geometry',
  'Join',
  'Kernel',
  'Model',
  'PixelType',
  'Projection',
  'Reducer',
] as const;
export type OpaqueKind = (typeof opaqueKinds)[number];
export type Kind = Value['kind'];

/** The place in the graph that a fact comes from: findings point to it, however many nodes later it matters. */
export interface Origin {
  /** The key of `values`. */
  readonly entry: string;
  /** The node itself: its path is looked up only if it is needed. */
  readonly node: JsonObject;
}

export interface ListValue {
  readonly kind: 'List';
  /** What every item is. */
  readonly item: Value;
  /** Bounds of the number of items. */
  readonly min: number;
  readonly max: number;
  /** The items, if all of them are known constants. */
  readonly constants?: readonly unknown[] | undefined;
  /** Where the number of items comes from. */
  readonly countedAt?: Origin | undefined;
}

export interface DictionaryValue {
  readonly kind: 'Dictionary';
  readonly constants?: JsonObject | undefined;
}

export interface ImageValue {
  readonly kind: 'Image';
  /** How many bands it has. */
  readonly bands: number | undefined;
  readonly bandsAt: Origin | undefined;
  /** Why it has that many, as part of a sentence: `visualize of one band without a palette`. */
  readonly bandsWhy: string | undefined;
  /** `byte`, or the name of another pixel type. */
  readonly pixels: string | undefined;
  readonly pixelsAt: Origin | undefined;
  /** Whether a region or a scale is part of it; undefined if that is unknown. */
  readonly placed: boolean | undefined;
  readonly size: FrameSize | undefined;
}

/** What is known of an image's size in pixels. */
export interface FrameSize {
  readonly width: number | undefined;
  readonly height: number | undefined;
  readonly maxDimension: number | undefined;
  /** It has at least so many pixels. */
  readonly atLeast: number;
  readonly at: Origin;
}

export interface CollectionValue {
  readonly kind: 'Collection';
  /** What every element is: an `Image` makes it an image collection. */
  readonly item: Value;
  readonly min: number;
  readonly max: number;
  readonly countedAt?: Origin | undefined;
}

export interface FunctionValue {
  readonly kind: 'Function';
  readonly argumentNames: readonly string[];
  /** The key of its body; undefined for a function that another one computes. */
  readonly body: string | undefined;
  readonly scope: Scope | undefined;
}

/** The arguments of the functions around a node. */
export interface Scope {
  readonly names: readonly string[];
  readonly values: readonly Value[];
  readonly parent: Scope | undefined;
  /** 1 for a function that is not inside of another one. */
  readonly depth: number;
  /** Whether it, or a function around it, has the name of an argument further outside. */
  readonly shadows: boolean;
}

export const UNKNOWN: Value = { kind: 'Unknown' };
export const NUMBER: Value = { kind: 'Number', value: undefined };
export const STRING: Value = { kind: 'String', value: undefined };
const BOOLEAN: Value = { kind: 'Boolean', value: undefined };
const DICTIONARY: Value = { kind: 'Dictionary' };
export const ALGORITHM: FunctionValue = {
  kind: 'Function',
  argumentNames: [],
  body: undefined,
  scope: undefined,
};

export const IMAGE: ImageValue = {
  kind: 'Image',
  bands: undefined,
  bandsAt: undefined,
  bandsWhy: undefined,
  pixels: undefined,
  pixelsAt: undefined,
  placed: undefined,
  size: undefined,
};

/** A sum of huge counts may be infinite, which no finding can show. */
const finite = (count: number): number => Math.min(count, Number.MAX_SAFE_INTEGER);

export const list = (item: Value, min = 0, max = Infinity, countedAt?: Origin): ListValue => ({
  kind: 'List',
  item,
  min: finite(min),
  max,
  countedAt,
});

export const collection = (item: Value, min = 0, max = Infinity, countedAt?: Origin): CollectionValue => ({
  kind: 'Collection',
  item,
  min: finite(min),
  max,
  countedAt,
});

const ANY_LIST = list(UNKNOWN);
/** Signatures say FeatureCollection for what also applies to collections of images, so its elements are unknown. */
const ANY_COLLECTION = collection(UNKNOWN);
const ANY_IMAGE_COLLECTION = collection(IMAGE);

const byType = new Map<string, Value>([
  ['Number', NUMBER],
  ['Float', NUMBER],
  ['Integer', NUMBER],
  ['Long', NUMBER],
  ['String', STRING],
  ['Boolean', BOOLEAN],
  ['List', ANY_LIST],
  ['Dictionary', DICTIONARY],
  ['Image', IMAGE],
  ['ImageCollection', ANY_IMAGE_COLLECTION],
  ['FeatureCollection', ANY_COLLECTION],
  ['Algorithm', ALGORITHM],
  ...opaqueKinds.map((kind): [string, Value] => [kind, { kind }]),
]);

/** The value of a declared type: `List<Image>` is a list of images. */
export function valueOfType(type: string): Value {
  const items = /^List<(\w+)/.exec(type)?.[1];
  if (items !== undefined) {
    const item = byType.get(items);
    return item ? list(item) : ANY_LIST;
  }
  return byType.get(/^\w+/.exec(type)?.[0] ?? type) ?? UNKNOWN;
}

/** The value of a constant. Long constants are not walked: a polygon may have a million points. */
export function valueOfConstant(constant: unknown): Value {
  switch (typeof constant) {
    case 'number':
      return { kind: 'Number', value: constant };
    case 'string':
      return { kind: 'String', value: constant };
    case 'boolean':
      return { kind: 'Boolean', value: constant };
    case 'object':
      if (Array.isArray(constant)) {
        const { length } = constant;
        const item = length <= 100 ? itemOf(constant) : UNKNOWN;
        return { kind: 'List', item, min: length, max: length, constants: constant, countedAt: undefined };
      }
      return constant === null ? UNKNOWN : { kind: 'Dictionary', constants: constant as JsonObject };
    default:
      return UNKNOWN;
  }
}

/** What all items of a constant list are, without their values. */
function itemOf(items: readonly unknown[]): Value {
  const type = typeof items[0];
  for (const item of items) {
    if (typeof item !== type) {
      return UNKNOWN;
    }
  }
  switch (type) {
    case 'number':
      return NUMBER;
    case 'string':
      return STRING;
    case 'boolean':
      return BOOLEAN;
    default:
      return UNKNOWN;
  }
}

/** The constant that a value is; undefined if it is not known. */
export function constantOf(value: Value | undefined): unknown {
  switch (value?.kind) {
    case 'Number':
    case 'String':
    case 'Boolean':
      return value.value;
    case 'List':
    case 'Dictionary':
      return value.constants;
    default:
      return undefined;
  }
}

/** Lists in lists. What is deeper is never needed, and a graph can nest lists a hundred thousand times. */
const MAX_JOINED = 5;

/** What is certain of something that is one of two values. */
export function join(a: Value, b: Value, depth = 0): Value {
  if (a === b) {
    return a;
  }
  if (a.kind !== b.kind || depth > MAX_JOINED) {
    return UNKNOWN;
  }
  switch (a.kind) {
    case 'Image':
      return joinImages(a, b as ImageValue);
    case 'Collection': {
      const other = b as CollectionValue;
      return collection(
        join(a.item, other.item, depth + 1),
        Math.min(a.min, other.min),
        Math.max(a.max, other.max),
        a.min <= other.min ? a.countedAt : other.countedAt,
      );
    }
    case 'List': {
      const other = b as ListValue;
      return list(
        join(a.item, other.item, depth + 1),
        Math.min(a.min, other.min),
        Math.max(a.max, other.max),
        a.min <= other.min ? a.countedAt : other.countedAt,
      );
    }
    case 'Number':
    case 'String':
    case 'Boolean':
      return a.value === (b as typeof a).value ? a : (byType.get(a.kind) ?? UNKNOWN);
    case 'Function':
      return UNKNOWN;
    default:
      return byType.get(a.kind) ?? UNKNOWN;
  }
}

function joinImages(a: ImageValue, b: ImageValue): ImageValue {
  const sameBands = a.bands === b.bands;
  const samePixels = a.pixels === b.pixels;
  return {
    kind: 'Image',
    bands: sameBands ? a.bands : undefined,
    bandsAt: sameBands ? a.bandsAt : undefined,
    bandsWhy: sameBands ? a.bandsWhy : undefined,
    pixels: samePixels ? a.pixels : undefined,
    pixelsAt: samePixels ? a.pixelsAt : undefined,
    placed: a.placed === b.placed ? a.placed : undefined,
    size: a.size?.at.node === b.size?.at.node ? a.size : undefined,
  };
}

/** The same type with nothing else known: what a loop's state is after any number of rounds. */
export function widen(value: Value): Value {
  switch (value.kind) {
    case 'Collection':
      return value.item.kind === 'Image' ? ANY_IMAGE_COLLECTION : ANY_COLLECTION;
    case 'Function':
      return UNKNOWN;
    default:
      return byType.get(value.kind) ?? UNKNOWN;
  }
}

/** A value as a message names it. */
export function describeValue(value: Value): string {
  switch (value.kind) {
    case 'Collection':
      return value.item.kind === 'Image'
        ? 'an ImageCollection'
        : value.item.kind === 'Feature'
          ? 'a FeatureCollection'
          : 'a collection';
    case 'Unknown':
      return 'something unknown';
    default:
      return /^[AEIOU]/.test(value.kind) ? `an ${value.kind}` : `a ${value.kind}`;
  }
}
