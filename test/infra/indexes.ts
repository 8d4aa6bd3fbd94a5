import type { Query } from '../../shared/store/queries.ts';
import { at, type Stack } from './stack.ts';

/**
 * The composite index that a query needs. The emulator does not enforce indexes, so this implements the rule
 * (https://firebase.google.com/docs/firestore/query-data/index-overview): first the fields compared for equality, in any
 * order, then the ordered fields in their order. A single field always has an index.
 */
export interface NeededIndex {
  readonly equal: readonly string[];
  /** `field` or `field desc`; `field contains` among the equal ones is a list */
  readonly ordered: readonly string[];
}

/** @param summed a field that the database sums over the matches: the index must contain it too */
export function neededIndex({ where, orderBy }: Query, summed?: string): NeededIndex | undefined {
  const isEquality = (op: string) => op === '==' || op === 'in' || op === 'array-contains';
  const equal = new Set(
    where
      .filter(([, op]) => isEquality(op))
      .map(([field, op]) => (op === 'array-contains' ? `${field} contains` : field)),
  );
  const ordered = orderBy
    .filter(([field]) => !equal.has(field))
    .map(([field, direction]) => (direction === 'desc' ? `${field} desc` : field));
  const names = new Set(ordered.map((field) => field.replace(/ desc$/, '')));
  // Firestore orders by the fields of ranges, too, before any other.
  const compared = where
    .filter(([field, op]) => !isEquality(op) && !names.has(field))
    .map(([field]) => field);
  ordered.unshift(...new Set(compared));
  if (summed !== undefined && !equal.has(summed) && !names.has(summed)) {
    ordered.push(summed);
  }
  return equal.size + ordered.length > 1 ? { equal: [...equal].sort(), ordered } : undefined;
}

export function serves(index: readonly string[], needed: NeededIndex): boolean {
  const equal = index.slice(0, needed.equal.length).map((field) => field.replace(/ desc$/, ''));
  // Directions matter: Firestore does not read an index backward.
  const ordered = index.slice(needed.equal.length);
  const same = (a: readonly string[], b: readonly string[]) => JSON.stringify(a) === JSON.stringify(b);
  return same(equal.sort(), needed.equal) && same(ordered, needed.ordered);
}

export interface NamedQuery {
  readonly name: string;
  readonly collection: string;
  readonly query: Query;
  readonly summed?: string | undefined;
}

export function indexProblems(stack: Stack, queries: readonly NamedQuery[]): string[] {
  const composites = at(stack.locals, 'composites') as Record<string, Record<string, string[]>>;
  const used = new Set<string>();
  const problems: string[] = [];
  for (const { name, collection, query, summed } of queries) {
    const needed = neededIndex(query, summed);
    if (!needed) {
      continue;
    }
    const found = Object.entries(composites[collection] ?? {}).find(([, index]) => serves(index, needed));
    if (found) {
      used.add(`${collection}/${found[0]}`);
    } else {
      problems.push(
        `${name} has no index on ${collection}: ${[...needed.equal, ...needed.ordered].join(', ')}`,
      );
    }
  }
  for (const [collection, indexes] of Object.entries(composites)) {
    for (const name of Object.keys(indexes)) {
      if (!used.has(`${collection}/${name}`)) {
        problems.push(`no query uses the index ${collection}/${name}`);
      }
    }
  }
  return problems;
}

/** A query for a field without an index fails in Firestore, but not in the emulator. */
export function exemptionProblems(stack: Stack, queries: readonly NamedQuery[]): string[] {
  const unindexed = at(stack.locals, 'large_fields') as Record<string, string[]>;
  return queries.flatMap(({ name, collection, query, summed }) => {
    const fields = [
      ...query.where.map(([field]) => field),
      ...query.orderBy.map(([field]) => field),
      summed ?? '',
    ];
    return (unindexed[collection] ?? [])
      .concat('expireAt')
      .filter((field) => fields.some((name) => name === field || name.startsWith(`${field}.`)))
      .map((field) => `${name} uses ${collection}.${field}, which is not indexed`);
  });
}
