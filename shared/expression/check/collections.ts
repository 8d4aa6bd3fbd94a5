import { argument, type Call, constantArgument, numberArgument, type Transfer } from './call.ts';
import { checkAsset } from './assets.ts';
import { squareKilometersOf } from './ground.ts';
import {
  collection,
  type CollectionValue,
  IMAGE,
  join,
  list,
  type ListValue,
  type Origin,
  UNKNOWN,
  type Value,
} from './value.ts';

/** What algorithms do to collections and lists: what their elements are, and how many there are. */

const collectionArgument = (call: Call, name: string): CollectionValue => {
  const value = argument(call, name);
  return value?.kind === 'Collection' ? value : collection(UNKNOWN);
};

const listArgument = (call: Call, name: string): ListValue => {
  const value = argument(call, name);
  return value?.kind === 'List' ? value : list(UNKNOWN);
};

function loadCollection(call: Call): Value {
  checkAsset(call);
  return collection({ ...IMAGE, placed: false });
}

function loadImage(call: Call): Value {
  checkAsset(call);
  return { ...IMAGE, placed: false };
}

function fromImages(call: Call): Value {
  const images = listArgument(call, 'images');
  const item = images.item.kind === 'Image' ? images.item : IMAGE;
  return collection(item, images.min, images.max, images.countedAt ?? call.origin);
}

function fromFeatures(call: Call): Value {
  const features = listArgument(call, 'features');
  const { kind } = features.item;
  const item = kind === 'Image' || kind === 'Feature' ? features.item : UNKNOWN;
  return collection(item, features.min, features.max, features.countedAt ?? call.origin);
}

function filter(call: Call): Value {
  const { item, max } = collectionArgument(call, 'collection');
  const by = argument(call, 'filter');
  const isByRegion = !(by?.kind === 'Filter' && by.of === 'ELSEWHERE');
  // Scenes of a region have their own footprints, so a region was thought of.
  const kept =
    isByRegion && item.kind === 'Image' && item.placed === false ? { ...item, placed: undefined } : item;
  return collection(kept, 0, max);
}

function limit(call: Call): Value {
  const { item, min, max, countedAt } = collectionArgument(call, 'collection');
  if (argument(call, 'limit') === undefined) {
    return collection(item, min, max, countedAt);
  }
  const most = numberArgument(call, 'limit');
  return most === undefined
    ? collection(item, 0, max)
    : collection(item, Math.min(min, most), Math.min(max, most), countedAt);
}

function merge(call: Call): Value {
  const a = collectionArgument(call, 'collection1');
  const b = collectionArgument(call, 'collection2');
  const item = a.max === 0 ? b.item : b.max === 0 ? a.item : join(a.item, b.item);
  return collection(item, a.min + b.min, a.max + b.max, call.origin);
}

function flatten(call: Call): Value {
  const { item } = collectionArgument(call, 'collection');
  return item.kind === 'Collection' ? collection(item.item) : collection(UNKNOWN);
}

function distinct(call: Call): Value {
  const { item, min, max } = collectionArgument(call, 'collection');
  return collection(item, Math.min(min, 1), max);
}

function toList(call: Call): Value {
  const { item, min, max, countedAt } = collectionArgument(call, 'collection');
  const count = numberArgument(call, 'count');
  const isFromStart = argument(call, 'offset') === undefined || numberArgument(call, 'offset') === 0;
  const most = Math.min(max, count ?? Infinity);
  return isFromStart && count !== undefined
    ? list(item, Math.min(min, count), most, countedAt)
    : list(item, 0, most);
}

/** Ten thousand items are enough to be too many frames; the exact number no longer matters. */
function sequence(call: Call): Value {
  const start = numberArgument(call, 'start');
  const end = numberArgument(call, 'end');
  const count = numberArgument(call, 'count');
  const step = argument(call, 'step') === undefined ? 1 : numberArgument(call, 'step');
  let length: number | undefined;
  if (argument(call, 'count') !== undefined) {
    length = argument(call, 'end') === undefined ? count : undefined;
  } else if (start !== undefined && end !== undefined && step !== undefined && step !== 0) {
    length = (end - start) / step < 0 ? undefined : Math.floor((end - start) / step + 1e-9) + 1;
  }
  return listOf({ kind: 'Number', value: undefined }, length, call.origin);
}

const listOf = (item: Value, length: number | undefined, at: Origin): Value =>
  length === undefined || !Number.isFinite(length) || length < 0
    ? list(item)
    : list(item, Math.floor(length), Math.floor(length), at);

const addToList =
  (added: string): Transfer =>
  (call) => {
    const to = listArgument(call, 'list');
    const element = argument(call, added) ?? UNKNOWN;
    const item = to.max === 0 ? element : join(to.item, element);
    return list(item, to.min + 1, to.max + 1, to.countedAt);
  };

function concatenate(call: Call): Value {
  const a = listArgument(call, 'list');
  const b = listArgument(call, 'other');
  const item = a.max === 0 ? b.item : b.max === 0 ? a.item : join(a.item, b.item);
  return list(item, a.min + b.min, a.max + b.max, call.origin);
}

/** The same items in another order. */
function reorder(call: Call): Value {
  const { item, min, max, countedAt } = listArgument(call, 'list');
  return list(item, min, max, countedAt);
}

/** Some of the items. */
function some(call: Call): Value {
  const { item, max } = listArgument(call, 'list');
  return list(item, 0, max);
}

/** The object with other properties. */
const sameElement =
  (name: string): Transfer =>
  (call) => {
    const element = argument(call, name);
    return element?.kind === 'Image' || element?.kind === 'Feature' || element?.kind === 'Collection'
      ? element
      : UNKNOWN;
  };

function condition(call: Call): Value {
  const yes = argument(call, 'trueCase');
  const no = argument(call, 'falseCase');
  return yes && no ? join(yes, no) : UNKNOWN;
}

/** A constant polygon in longitudes and latitudes keeps its coordinates. */
function geometry(call: Call): Value {
  const isGlobal = argument(call, 'crs') === undefined;
  const region: Value = {
    kind: 'Geometry',
    of: isGlobal ? constantArgument(call, 'coordinates') : undefined,
  };
  call.report.measure('squareKilometers', squareKilometersOf(region));
  return region;
}

export const collectionTransfers: ReadonlyMap<string, Transfer> = new Map<string, Transfer>([
  ['ImageCollection.load', loadCollection],
  ['Image.load', loadImage],
  ['Collection.loadTable', () => collection({ kind: 'Feature' })],
  ['ImageCollection.fromImages', fromImages],
  ['Collection', fromFeatures],
  ['Collection.filter', filter],
  ['Collection.limit', limit],
  ['Collection.merge', merge],
  ['ImageCollection.merge', merge],
  ['Collection.flatten', flatten],
  ['Collection.distinct', distinct],
  ['Collection.randomColumn', (call) => collectionArgument(call, 'collection')],
  ['Collection.cache', (call) => collectionArgument(call, 'collection')],
  ['Collection.first', (call) => collectionArgument(call, 'collection').item],
  ['Collection.toList', toList],
  ['List.sequence', sequence],
  [
    'List.repeat',
    (call) => listOf(argument(call, 'value') ?? UNKNOWN, numberArgument(call, 'count'), call.origin),
  ],
  ['List.add', addToList('element')],
  ['List.insert', addToList('element')],
  ['List.cat', concatenate],
  ['List.sort', reorder],
  ['List.reverse', reorder],
  ['List.shuffle', reorder],
  ['List.rotate', reorder],
  ['List.filter', some],
  ['List.slice', some],
  ['List.distinct', some],
  ['Element.set', sameElement('object')],
  ['Element.setMulti', sameElement('object')],
  ['Element.copyProperties', sameElement('destination')],
  ['Image.copyProperties', sameElement('destination')],
  ['Element.replaceProperties', sameElement('destination')],
  ['Feature.select', sameElement('input')],
  ['If', condition],
  ['GeometryConstructors.Polygon', geometry],
  ['GeometryConstructors.MultiPolygon', geometry],
  ['GeometryConstructors.Rectangle', geometry],
]);
