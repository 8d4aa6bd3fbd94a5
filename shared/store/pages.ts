import type { Query } from './queries.ts';
import { cursorOf, type Documents, type Found } from './store.ts';

/**
 * The documents that a query finds, page by page; no page is empty. The next page is read only when the caller requests it,
 * and starts after the last document of the previous page, so changes and deletions by the caller make it skip nothing.
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
