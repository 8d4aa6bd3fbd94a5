import type { Query } from './queries.ts';
import { cursorOf, type Documents, type Found } from './store.ts';

/**
 * The documents that a query finds, page by page; no page is empty. The next page is read only when it is asked for, after
 * the last document of the one before, so that documents which a caller changed or deleted meanwhile are skipped nowhere.
 */
export async function* pages<T extends object>(
  documents: Pick<Documents<T>, 'find'>,
  query: Query,
  limit: number,
): AsyncGenerator<Found<T>[]> {
  let after: readonly unknown[] | undefined;
  for (;;) {
    const page = await documents.find(query, { limit, ...(after ? { after } : {}) });
    const last = page.at(-1);
    if (!last) {
      return;
    }
    yield page;
    if (page.length < limit) {
      return;
    }
    after = cursorOf(query, last);
  }
}
