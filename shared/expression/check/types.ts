import { type Kind, opaqueKinds, type Value } from './value.ts';

/**
 * Which values Earth Engine certainly refuses for an argument of a declared type: "Image.gte, argument 'image2': Invalid
 * type. Expected type: Image<unknown bands>. Actual type: Integer." Earth Engine converts some values and not others, and
 * does not document which. So a pair is in the table only if no official client makes it of a program that works: the
 * clients convert constants themselves (`promote` in ee.js, `_Promote` in Python), and what they pass on unchanged, such as
 * the result of another algorithm, must have a type that nothing converts.
 */

const kinds: readonly Kind[] = [
  'Number',
  'String',
  'Boolean',
  'List',
  'Dictionary',
  'Image',
  'Collection',
  'Function',
  ...opaqueKinds,
];
const bits = new Map(kinds.map((kind, index) => [kind, 1 << index]));
const maskOf = (...members: readonly Kind[]): number =>
  members.reduce((mask, kind) => mask | (bits.get(kind) ?? 0), 0);

const scalars: readonly Kind[] = ['Number', 'String', 'Boolean'];
/** Nothing converts these into anything else. */
const closed: readonly Kind[] = [
  'Blob',
  'Classifier',
  'Clusterer',
  'ConfusionMatrix',
  'Filter',
  'Function',
  'Join',
  'Kernel',
  'Model',
  'Reducer',
];
const values: readonly Kind[] = ['Date', 'DateRange', 'ErrorMargin', 'PixelType', 'Projection'];
const closedExcept = (own: Kind): readonly Kind[] => closed.filter((kind) => kind !== own);
const spatial: readonly Kind[] = ['Image', 'Collection', 'Geometry'];

const element = maskOf(...scalars, ...closed, ...values);
const number = maskOf(
  ...spatial,
  ...closed,
  'Projection',
  'PixelType',
  'DateRange',
  'String',
  'List',
  'Dictionary',
);

const impossible = new Map<string, number>([
  ['Image', maskOf(...scalars, ...closed, ...values, 'Geometry', 'Collection')],
  ['ImageCollection', maskOf(...scalars, ...closed, ...values, 'Geometry', 'Image')],
  ['FeatureCollection', maskOf(...scalars, ...closed, ...values, 'Image')],
  ['Geometry', maskOf(...scalars, ...closed, ...values, 'Dictionary')],
  ['Feature', element],
  ['Element', element],
  ['Number', number],
  ['Float', number],
  ['Integer', number],
  ['Long', number],
  ['Boolean', maskOf(...spatial, ...closed, 'Projection', 'List', 'Dictionary')],
  ['String', maskOf(...spatial, ...closed)],
  ['List', maskOf('Number', 'Boolean', 'Image', 'Geometry', 'Projection', ...closed)],
  ['Dictionary', maskOf('Number', 'Boolean', 'Geometry', ...closed)],
  ['Date', maskOf('Boolean', ...spatial, ...closed, 'Projection', 'PixelType')],
  ['DateRange', maskOf('Boolean', ...spatial, ...closed, 'Projection', 'PixelType')],
  ['Filter', maskOf(...scalars, ...spatial, ...values, ...closedExcept('Filter'))],
  ['Reducer', reducerLike('Reducer')],
  ['Kernel', reducerLike('Kernel')],
  ['Join', reducerLike('Join')],
  ['Classifier', reducerLike('Classifier')],
  ['Clusterer', reducerLike('Clusterer')],
  ['Model', reducerLike('Model')],
  ['Projection', maskOf('Number', 'Boolean', 'Collection', 'Geometry', ...closed)],
  ['ErrorMargin', maskOf('Image', 'Collection', ...closed)],
  ['PixelType', maskOf('Image', 'Collection', ...closed)],
  ['Array', maskOf(...spatial, ...closed)],
  ['Algorithm', maskOf('Number', 'Boolean', 'List', ...spatial, ...values, ...closedExcept('Function'))],
]);

function reducerLike(own: Kind): number {
  return maskOf('Number', 'Boolean', ...spatial, ...values, ...closedExcept(own));
}

/** The kinds of values that an argument of a type, without its parameters, cannot have, as a set of bits. */
export const impossibleKinds = (type: string | undefined): number =>
  type === undefined ? 0 : (impossible.get(type) ?? 0);

/** @param mask what `impossibleKinds` returned */
export const isAmong = (mask: number, { kind }: Value): boolean =>
  mask !== 0 && (mask & (bits.get(kind) ?? 0)) !== 0;
