import type { Query } from '../../../shared/store/queries.ts';
import { type Row, valueAt } from './evaluate.ts';

/**
 * Narrows a query down without reading every row: large tests run hundreds of thousands of queries on thousands of rows. The
 * first query that needs an index of a field creates it.
 */
export interface Indexes<R extends Row> {
  /** All rows that match, and possibly others. */
  candidates(query: Query): Iterable<R>;
  added(row: R): void;
  removed(row: R): void;
}

/** The rows by the text that a field has, or that its list contains, and those that have the field at all. */
interface Index<R> {
  readonly byText: Map<string, Set<R>>;
  readonly present: Set<R>;
}

const EMPTY: ReadonlySet<never> = new Set();

/** @param rows every row, by id */
export function createIndexes<R extends Row>(rows: ReadonlyMap<string, R>): Indexes<R> {
  const indexes = new Map<string, Index<R>>();

  const indexOf = (field: string): Index<R> => {
    let index = indexes.get(field);
    if (!index) {
      index = { byText: new Map(), present: new Set() };
      indexes.set(field, index);
      for (const row of rows.values()) {
        add(index, field, row);
      }
    }
    return index;
  };

  return {
    candidates(query) {
      let best: readonly ReadonlySet<R>[] | undefined;
      let least = rows.size;
      for (const sets of indexedParts(query, indexOf)) {
        const size = sets.reduce((sum, set) => sum + set.size, 0);
        if (size < least) {
          best = sets;
          least = size;
        }
      }
      return best ? union(best) : rows.values();
    },
    added(row) {
      for (const [field, index] of indexes) {
        add(index, field, row);
      }
    },
    removed(row) {
      for (const [field, { byText, present }] of indexes) {
        present.delete(row);
        for (const text of textsOf(row, field)) {
          byText.get(text)?.delete(row);
        }
      }
    },
  };
}

function* union<R>(sets: readonly ReadonlySet<R>[]): Iterable<R> {
  for (const set of sets) {
    yield* set;
  }
}

/** For each part of the query that an index answers, the sets that contain together what matches that part. */
function* indexedParts<R extends Row>(
  { where, orderBy }: Query,
  indexOf: (field: string) => Index<R>,
): Iterable<readonly ReadonlySet<R>[]> {
  for (const [field, op, wanted] of where) {
    const texts = op === 'in' ? (wanted as readonly unknown[]) : [wanted];
    if ((op === '==' || op === 'in' || op === 'array-contains') && texts.every(isText)) {
      const { byText } = indexOf(field);
      yield [...new Set(texts)].map((text) => byText.get(text) ?? EMPTY);
    }
  }
  for (const [field] of orderBy) {
    yield [indexOf(field).present];
  }
}

function add<R extends Row>({ byText, present }: Index<R>, field: string, row: R): void {
  if (valueAt(row.fields, field) === undefined) {
    return;
  }
  present.add(row);
  for (const text of textsOf(row, field)) {
    let set = byText.get(text);
    if (!set) {
      set = new Set();
      byText.set(text, set);
    }
    set.add(row);
  }
}

function textsOf(row: Row, field: string): readonly string[] {
  const value = valueAt(row.fields, field);
  if (isText(value)) {
    return [value];
  }
  return Array.isArray(value) ? [...new Set(value)].filter(isText) : [];
}

const isText = (value: unknown): value is string => typeof value === 'string';
