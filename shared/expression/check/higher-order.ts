import { argument, type Call, constantArgument } from './call.ts';
import { collection, join, list, STRING, UNKNOWN, type Value, widen } from './value.ts';

/** The algorithms that call a function: what they pass to it, and what becomes of its result. */
export interface HigherOrder {
  /** The argument that is a function. */
  readonly argument: string;
  readonly inputs: (call: Call) => readonly Value[];
  readonly result: (call: Call, returned: Value) => Value;
}

const itemOf = (value: Value | undefined): Value =>
  value?.kind === 'Collection' || value?.kind === 'List' ? value.item : UNKNOWN;

const dropsNulls = (call: Call): boolean =>
  argument(call, 'dropNulls') !== undefined && constantArgument(call, 'dropNulls') !== false;

const mapCollection: HigherOrder = {
  argument: 'baseAlgorithm',
  inputs: (call) => [itemOf(argument(call, 'collection'))],
  result: (call, returned) => {
    const from = argument(call, 'collection');
    const { kind } = returned;
    const item = kind === 'Image' || kind === 'Feature' || kind === 'Collection' ? returned : UNKNOWN;
    return from?.kind === 'Collection'
      ? collection(item, dropsNulls(call) ? 0 : from.min, from.max, from.countedAt)
      : collection(item);
  },
};

const mapList: HigherOrder = {
  argument: 'baseAlgorithm',
  inputs: (call) => [itemOf(argument(call, 'list'))],
  result: (call, returned) => {
    const from = argument(call, 'list');
    return from?.kind === 'List'
      ? list(returned, dropsNulls(call) ? 0 : from.min, from.max, from.countedAt)
      : list(returned);
  },
};

const mapDictionary: HigherOrder = {
  argument: 'baseAlgorithm',
  inputs: () => [STRING, UNKNOWN],
  result: () => ({ kind: 'Dictionary' }),
};

/** Any number of rounds, of which the first begins with `first`: only types are known, and only if a round keeps them. */
const iterate = (over: 'collection' | 'list'): HigherOrder => ({
  argument: 'function',
  inputs: (call) => [itemOf(argument(call, over)), widen(argument(call, 'first') ?? UNKNOWN)],
  result: (call, returned) => join(widen(argument(call, 'first') ?? UNKNOWN), widen(returned)),
});

export const higherOrder: ReadonlyMap<string, HigherOrder> = new Map([
  ['Collection.map', mapCollection],
  ['List.map', mapList],
  ['Dictionary.map', mapDictionary],
  ['Collection.iterate', iterate('collection')],
  ['List.iterate', iterate('list')],
]);
