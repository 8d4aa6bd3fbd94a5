import type { Query } from '../../shared/store/queries.ts';
import { at, type Stack } from './stack.ts';

/**
 * Which composite index a query needs. Neither emulator enforces it, so the rule is written down here
 * (https://firebase.google.com/docs/firestore/query-data/index-overview): fields compared for equality first, in any order,
 * then the ordered ones in theirs; a single field has an index of its own anyway.
 */
export interface NeededIndex {
  readonly equal: readonly string[];
  /** `field` or `field desc` */
  readonly ordered: readonly string[];
}

/** @param summed a field that the database sums over the matches: it must be in the index as well */
export function neededIndex({ where, orderBy }: Query, summed?: string): NeededIndex | undefined {
  const equal = new Set(where.filter(([, op]) => op === '==' || op === 'in').map(([field]) => field));
  const ordered = orderBy
    .filter(([field]) => !equal.has(field))
    .map(([field, direction]) => (direction === 'desc' ? `${field} desc` : field));
  const names = new Set(ordered.map((field) => field.replace(/ desc$/, '')));
  const compared = where.filter(([field, op]) => op !== '==' && op !== 'in' && !names.has(field));
  for (const [field] of compared) {
    ordered.unshift(field);
  }
  if (summed !== undefined && !equal.has(summed) && !names.has(summed)) {
    ordered.push(summed);
  }
  return equal.size + ordered.length > 1 ? { equal: [...equal].sort(), ordered } : undefined;
}

export function serves(index: readonly string[], needed: NeededIndex): boolean {
  const equal = index.slice(0, needed.equal.length).map((field) => field.replace(/ desc$/, ''));
  // Directions count: an index is not read backwards.
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

/** A field without an index answers no query: Firestore finds nothing, and says nothing in an emulator. */
export function exemptionProblems(stack: Stack, queries: readonly NamedQuery[]): string[] {
  const unindexed = at(stack.locals, 'unindexed') as Record<string, string[]>;
  return queries.flatMap(({ name, collection, query, summed }) => {
    const asked = [
      ...query.where.map(([field]) => field),
      ...query.orderBy.map(([field]) => field),
      summed ?? '',
    ];
    return (unindexed[collection] ?? [])
      .concat('expireAt')
      .filter((field) => asked.some((name) => name === field || name.startsWith(`${field}.`)))
      .map((field) => `${name} asks for ${collection}.${field}, which is not indexed`);
  });
}
