import type { Query } from './queries.ts';
import { cursorOf, type Documents, type Found } from './store.ts';

/**
 * The documents that a query finds, page by page; no page is empty. The next page is read only when the caller requests it,
 * and starts after the last document of the previous page, so changes and deletions by the caller make it skip nothing.
 *
 * @param from the cursor to start after, as made by `cursorOf`
 */
export async function* pages<T extends object>(
  documents: Pick<Documents<T>, 'find'>,
  query: Query,
  limit: number,
  from?: readonly unknown[],
): AsyncGenerator<Found<T>[]> {
  let after = from;
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
