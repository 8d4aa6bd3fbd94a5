import { earlierAttemptIds } from '../shared/model/ids.ts';
import { type ExportRecord, isTerminal, type RecordState, recordStates } from '../shared/model/record.ts';
import { pages } from '../shared/store/pages.ts';
import type { Query } from '../shared/store/queries.ts';
import { isReadable, type Records } from '../shared/store/store.ts';

/**
 * A job counts once, by its latest attempt. The database counts every record, so the attempts that a later one replaced are
 * found by reading the later ones, and subtracted.
 */

export type Counts = Partial<Record<RecordState, number>>;

const PAGE_SIZE = 300;

/**
 * @param laterAttempts the queries that find the attempts after the first
 * @param isCounted whether a replaced attempt is among the records that are counted
 * @returns a function that counts the replaced attempts by state; it reads them again only if something can have changed
 */
export function countingReplaced(
  records: Pick<Records, 'find' | 'count' | 'getMany'>,
  laterAttempts: readonly Query[],
  isCounted: (record: ExportRecord) => boolean,
): () => Promise<Counts> {
  let known = { later: 0, counts: {} as Counts, areFinal: true };
  return async () => {
    const later = sum(await Promise.all(laterAttempts.map((query) => records.count(query))));
    if (later !== known.later || !known.areFinal) {
      known = { later, ...(await readReplaced(records, laterAttempts, isCounted)) };
    }
    return known.counts;
  };
}

async function readReplaced(
  records: Pick<Records, 'find' | 'getMany'>,
  laterAttempts: readonly Query[],
  isCounted: (record: ExportRecord) => boolean,
): Promise<{ counts: Counts; areFinal: boolean }> {
  const ids = new Set<string>();
  for (const query of laterAttempts) {
    for await (const page of pages(records, query, PAGE_SIZE)) {
      for (const { id, value } of page.filter(isReadable)) {
        for (const earlier of earlierAttemptIds(id, value.attempt)) {
          ids.add(earlier);
        }
      }
    }
  }
  const counts: Counts = {};
  let areFinal = true;
  const all = [...ids];
  for (let from = 0; from < all.length; from += PAGE_SIZE) {
    for (const found of await records.getMany(all.slice(from, from + PAGE_SIZE))) {
      if (isReadable(found) && isCounted(found.value)) {
        counts[found.value.state] = (counts[found.value.state] ?? 0) + 1;
        areFinal &&= isTerminal(found.value);
      }
    }
  }
  return { counts, areFinal };
}

/** In the order of the states, and without those that have none. */
export function subtract(all: Counts, replaced: Counts): Counts {
  return Object.fromEntries(
    recordStates
      .map((state) => [state, (all[state] ?? 0) - (replaced[state] ?? 0)] as const)
      .filter(([, count]) => count > 0),
  );
}

export const sum = (numbers: readonly number[]): number => numbers.reduce((total, each) => total + each, 0);
