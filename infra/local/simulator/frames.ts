import { isObject } from './graph.ts';

/*
 * What an expression reveals about the frames of its video. Earth Engine accepts any collection, and fails the operation
 * later if its frames are not images with three 8-bit bands. Source: apidocs/ee-image-visualize and guides/exporting_video.
 *
 * Like the other rules of the simulator, this is written from the reference alone and shares no code with the service. It
 * knows no data set, and only functions that are common in videos: whatever it does not know could be right.
 */

/** An image, or each image of a collection or list. What is undefined is unknown. */
interface Bands {
  readonly count?: number | undefined;
  readonly eightBit?: boolean | undefined;
}

const unknown: Bands = {};

/** Longer chains, and larger graphs, stay unknown: a hostile expression must not stop the simulator. */
const MAX_DEPTH = 500;
const MAX_STEPS = 100_000;

/** Earth Engine's own text is not known. */
const FAILURE = 'Video frames must be images with three 8-bit bands, and these have';

/** Why Earth Engine fails the video of a valid expression; undefined if nothing is known against its frames. */
export function frameProblem(expression: unknown): string | undefined {
  if (!isObject(expression) || !isObject(expression['values'])) {
    return undefined;
  }
  const graph: Graph = { values: expression['values'], known: new Map(), steps: 0 };
  const { count, eightBit } = bandsOfKey(graph, String(expression['result']), noArguments, 0);
  if (count !== undefined && count !== 3) {
    return `${FAILURE} ${count} ${count === 1 ? 'band' : 'bands'}. (Error code: 3)`;
  }
  return eightBit === false ? `${FAILURE} more than 8 bits. (Error code: 3)` : undefined;
}

interface Graph {
  readonly values: Readonly<Record<string, unknown>>;
  /** By key and arguments: graphs share their values. */
  readonly known: Map<string, Bands>;
  steps: number;
}

/** The images that the arguments of the enclosing functions stand for. */
interface Arguments {
  readonly images: ReadonlyMap<string, Bands>;
  readonly key: string;
}

const noArguments: Arguments = { images: new Map(), key: '' };

function bandsOfKey(graph: Graph, key: string, given: Arguments, depth: number): Bands {
  const place = `${key}\n${given.key}`;
  const known = graph.known.get(place);
  if (known) {
    return known;
  }
  const bands = bandsOf(graph, graph.values[key], given, depth + 1);
  graph.known.set(place, bands);
  return bands;
}

function bandsOf(graph: Graph, node: unknown, given: Arguments, depth: number): Bands {
  graph.steps += 1;
  if (!isObject(node) || depth > MAX_DEPTH || graph.steps > MAX_STEPS) {
    return unknown;
  }
  const { valueReference, argumentReference, arrayValue, functionInvocationValue: call } = node;
  if (typeof valueReference === 'string') {
    return bandsOfKey(graph, valueReference, given, depth);
  }
  if (typeof argumentReference === 'string') {
    return given.images.get(argumentReference) ?? unknown;
  }
  if (isObject(arrayValue) && Array.isArray(arrayValue['values'])) {
    const items = arrayValue['values'].map((item) => bandsOf(graph, item, given, depth + 1));
    return items.length === 0 ? unknown : items.reduce(either);
  }
  if (isObject(call)) {
    const rule = rules.get(String(call['functionName']));
    const nodes = isObject(call['arguments']) ? call['arguments'] : {};
    return rule?.(callOf(graph, nodes, given, depth)) ?? unknown;
  }
  return unknown;
}

/** What holds if images of both kinds occur: one that is wrong makes the collection wrong. */
function either(one: Bands, other: Bands): Bands {
  const wrong = [one.count, other.count].find((count) => count !== undefined && count !== 3);
  const isWrong = one.eightBit === false || other.eightBit === false;
  return {
    count: wrong ?? (one.count === other.count ? one.count : undefined),
    eightBit: isWrong ? false : one.eightBit && other.eightBit,
  };
}

/** An argument that is given, but not as a constant. */
const computed = Symbol('computed');

/** The arguments of a call, as rules read them. */
interface Call {
  readonly bands: (argument: string) => Bands;
  /** The value of a constant, `computed`, or undefined if it is not given. */
  readonly constant: (argument: string) => unknown;
  /** What a function makes of an image: the images of a collection or list that it is mapped over. */
  readonly apply: (argument: string, image: Bands) => Bands;
}

const callOf = (
  graph: Graph,
  nodes: Readonly<Record<string, unknown>>,
  given: Arguments,
  depth: number,
): Call => ({
  bands: (argument) => bandsOf(graph, nodes[argument], given, depth + 1),
  constant: (argument) => constantOf(graph, nodes[argument]) ?? undefined,
  apply(argument, image) {
    const definition = resolve(graph, nodes[argument])?.['functionDefinitionValue'];
    if (!isObject(definition) || !Array.isArray(definition['argumentNames'])) {
      return unknown;
    }
    const images = new Map(given.images).set(String(definition['argumentNames'][0]), image);
    const key = JSON.stringify([...images]);
    return bandsOfKey(graph, String(definition['body']), { images, key }, depth + 1);
  },
});

function constantOf(graph: Graph, node: unknown): unknown {
  if (node === undefined) {
    return undefined;
  }
  const { constantValue = computed, integerValue, arrayValue } = resolve(graph, node) ?? {};
  if (integerValue !== undefined) {
    return Number(integerValue);
  }
  // The length of a list is known even if its items are computed.
  return isObject(arrayValue) && Array.isArray(arrayValue['values'])
    ? arrayValue['values'].map((item) => resolve(graph, item)?.['constantValue'] ?? computed)
    : constantValue;
}

/** The node at the end of a chain of references. */
function resolve(graph: Graph, node: unknown): Readonly<Record<string, unknown>> | undefined {
  let end = node;
  while (isObject(end) && typeof end['valueReference'] === 'string' && graph.steps <= MAX_STEPS) {
    graph.steps += 1;
    end = graph.values[end['valueReference']];
  }
  return isObject(end) ? end : undefined;
}

type Rule = (call: Call) => Bands;

const rules = new Map<string, Rule>([
  ['Image.visualize', visualize],
  ['Image.select', select],
  ['Image.addBands', addBands],
  ['Image.blend', blend],
  ['Image.constant', ({ constant }) => ({ count: lengthOf(constant('value')) })],
  ['Image.normalizedDifference', () => ({ count: 1, eightBit: false })],
  ['Image.toByte', ({ bands }) => ({ ...bands('value'), eightBit: true })],
  ['Image.toUint8', ({ bands }) => ({ ...bands('value'), eightBit: true })],
  ['Collection.map', ({ apply, bands }) => apply('baseAlgorithm', bands('collection'))],
  ['List.map', ({ apply, bands }) => apply('baseAlgorithm', bands('list'))],
  ['Collection.merge', merge],
  ['ImageCollection.merge', merge],
  // The bands stay as they are.
  ...[
    ['collection', 'Collection.filter Collection.limit Collection.distinct Collection.randomColumn'],
    ['collection', 'Collection.toList Collection.first Collection.flatten Collection.cache'],
    ['collection', 'ImageCollection.mosaic ImageCollection.qualityMosaic reduce.min reduce.max reduce.mode'],
    ['image', 'Image.reproject Image.setDefaultProjection Image.resample Image.updateMask Image.mask'],
    ['input', 'Image.clip Image.clipToBoundsAndScale Image.rename'],
    ['images', 'ImageCollection.fromImages'],
    ['list', 'List.get List.slice List.reverse'],
    ['object', 'Element.set'],
    ['destination', 'Element.copyProperties'],
  ].flatMap(([argument = '', names = '']) =>
    names.split(' ').map((name): [string, Rule] => [name, ({ bands }) => bands(argument)]),
  ),
  // So many bands as before, of a type that depends on the data.
  ...['reduce.median', 'reduce.mean', 'reduce.sum', 'reduce.count'].map((name): [string, Rule] => [
    name,
    ({ bands }) => ({ count: bands('collection').count }),
  ]),
  ...['Float', 'Double', 'Int16', 'Uint16', 'Int32', 'Uint32', 'Int64'].map((type): [string, Rule] => [
    `Image.to${type}`,
    ({ bands }) => ({ ...bands('value'), eightBit: false }),
  ]),
]);

/** "Produces an RGB or grayscale visualization": one band stays one without a palette and without `forceRgbOutput`. */
function visualize({ bands, constant }: Call): Bands {
  if (constant('palette') !== undefined) {
    return { count: 3, eightBit: true };
  }
  switch (constant('forceRgbOutput')) {
    case true:
      return { count: 3, eightBit: true };
    case computed:
      return { eightBit: true };
    default: {
      const names = constant('bands');
      const count = names === undefined ? bands('image').count : lengthOf(names);
      return { count, eightBit: true };
    }
  }
}

/** A selector can be a pattern, which matches any number of bands. */
function select({ bands, constant }: Call): Bands {
  const selectors = constant('bandSelectors');
  const list = Array.isArray(selectors) ? selectors : [selectors];
  const isPlain = list.every(
    (item) => typeof item === 'number' || (typeof item === 'string' && /^[\w-]+$/.test(item)),
  );
  return { count: isPlain ? list.length : undefined, eightBit: bands('input').eightBit };
}

function addBands({ bands, constant }: Call): Bands {
  const [to, from] = [bands('dstImg'), bands('srcImg')];
  const names = constant('names');
  const added = names === undefined ? from.count : lengthOf(names);
  const replaces = constant('overwrite') !== undefined && constant('overwrite') !== false;
  return {
    count: to.count === undefined || added === undefined || replaces ? undefined : to.count + added,
    eightBit: either(to, from).eightBit,
  };
}

/** "If either of images has only 1 band, then it is replicated to match the number of bands in the other image." */
function blend({ bands }: Call): Bands {
  const [bottom, top] = [bands('bottom'), bands('top')];
  const counts = [bottom.count, top.count].filter((count) => count !== undefined);
  return {
    count: counts.length === 2 ? Math.max(...counts) : undefined,
    eightBit: either(bottom, top).eightBit,
  };
}

function merge({ bands }: Call): Bands {
  return either(bands('collection1'), bands('collection2'));
}

/** How many bands a constant names: a list, text with commas, or a single number. */
function lengthOf(value: unknown): number | undefined {
  if (Array.isArray(value)) {
    return value.length;
  }
  return typeof value === 'string' ? value.split(',').length : typeof value === 'number' ? 1 : undefined;
}
