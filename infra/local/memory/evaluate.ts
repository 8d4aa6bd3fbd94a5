import type { Fields } from '../../../shared/store/fields.ts';
import type { Query } from '../../../shared/store/queries.ts';

/** A document to query. */
export interface Row {
  readonly id: string;
  readonly fields: Fields;
}

/**
 * The rows that a query finds, in its order, as Firestore defines both
 * (https://firebase.google.com/docs/firestore/query-data/order-limit-data): a row without an ordered field does not match,
 * inequalities hold only within one type, and ties are ordered by id, in the direction of the last order.
 */
export function evaluate<R extends Row>(
  query: Query,
  rows: Iterable<R>,
  after: readonly unknown[] = [],
  limit = Infinity,
): R[] {
  const compare = (a: R, b: R): number => {
    for (const [field, direction] of query.orderBy) {
      const order = compareValues(valueAt(a.fields, field), valueAt(b.fields, field));
      if (order !== 0) {
        return direction === 'asc' ? order : -order;
      }
    }
    return idDirection(query) * compareText(a.id, b.id);
  };
  let found: R[] = [];
  for (const row of rows) {
    if (matches(query, row.fields) && isAfter(query, row, after)) {
      found.push(row);
      // A few of thousands are wanted for each job of a large test: sorting all of them would take minutes.
      if (found.length > 2 * limit + SORTED_AT_ONCE) {
        found = found.sort(compare).slice(0, limit);
      }
    }
  }
  return found.sort(compare).slice(0, limit);
}

const SORTED_AT_ONCE = 50;

export function matches({ where, orderBy }: Query, fields: Fields): boolean {
  return (
    where.every(([field, op, wanted]) => holds(valueAt(fields, field), op, wanted)) &&
    orderBy.every(([field]) => valueAt(fields, field) !== undefined)
  );
}

/** As in Firestore, a dot separates the keys of nested maps: `labels.team`. */
export function valueAt(fields: Fields, path: string): unknown {
  if (!path.includes('.')) {
    return fields[path];
  }
  let value: unknown = fields;
  for (const name of path.split('.')) {
    if (typeof value !== 'object' || value === null || !Object.hasOwn(value, name)) {
      return undefined;
    }
    value = (value as Fields)[name];
  }
  return value;
}

function holds(value: unknown, op: Query['where'][number][1], wanted: unknown): boolean {
  if (value === undefined) {
    return false;
  }
  if (op === 'in') {
    return (wanted as readonly unknown[]).some((one) => compareValues(value, one) === 0);
  }
  if (op === 'array-contains') {
    return Array.isArray(value) && value.some((one) => compareValues(one, wanted) === 0);
  }
  if (typeRank(value) !== typeRank(wanted)) {
    return false;
  }
  const order = compareValues(value, wanted);
  switch (op) {
    case '==':
      return order === 0;
    case '<':
      return order < 0;
    case '<=':
      return order <= 0;
    case '>':
      return order > 0;
    case '>=':
    default:
      return order >= 0;
  }
}

/** Strictly after the cursor: a row that equals it in all its values is not. */
function isAfter(query: Query, row: Row, cursor: readonly unknown[]): boolean {
  if (cursor.length === 0) {
    return true;
  }
  for (const [index, [field, direction]] of query.orderBy.slice(0, cursor.length).entries()) {
    const order = compareValues(valueAt(row.fields, field), cursor[index]);
    if (order !== 0) {
      return direction === 'asc' ? order > 0 : order < 0;
    }
  }
  if (cursor.length <= query.orderBy.length) {
    return false;
  }
  return idDirection(query) * compareText(row.id, String(cursor.at(-1))) > 0;
}

const idDirection = ({ orderBy }: Query): 1 | -1 => (orderBy.at(-1)?.[1] === 'desc' ? -1 : 1);

/** For ASCII, which ids and project names are, UTF-16 order equals Firestore's order by UTF-8 bytes. */
const compareText = (a: string, b: string): number => (a < b ? -1 : Number(a > b));

/** Firestore's order of types: https://firebase.google.com/docs/firestore/manage-data/data-types#value_type_ordering */
function typeRank(value: unknown): number {
  if (value === null) {
    return 0;
  }
  if (typeof value === 'boolean') {
    return 1;
  }
  if (typeof value === 'number') {
    return 2;
  }
  if (value instanceof Date) {
    return 3;
  }
  if (typeof value === 'string') {
    return 4;
  }
  if (value instanceof Uint8Array) {
    return 5;
  }
  return Array.isArray(value) ? 6 : 7;
}

function compareValues(a: unknown, b: unknown): number {
  const rank = typeRank(a);
  if (rank !== typeRank(b)) {
    return rank - typeRank(b);
  }
  if (typeof a === 'string') {
    return compareText(a, b as string);
  }
  if (a instanceof Uint8Array) {
    return Buffer.compare(a, b as Uint8Array);
  }
  if (Array.isArray(a)) {
    return compareArrays(a, b as unknown[]);
  }
  if (rank === 7) {
    return compareArrays(sortedEntries(a as Fields), sortedEntries(b as Fields));
  }
  return Number(a) - Number(b);
}

function compareArrays(a: readonly unknown[], b: readonly unknown[]): number {
  for (let index = 0; index < Math.min(a.length, b.length); index++) {
    const order = compareValues(a[index], b[index]);
    if (order !== 0) {
      return order;
    }
  }
  return a.length - b.length;
}

/** Maps are ordered by their entries, sorted by key. */
const sortedEntries = (map: Fields): unknown[] =>
  Object.keys(map)
    .sort()
    .flatMap((key) => [key, map[key]]);
