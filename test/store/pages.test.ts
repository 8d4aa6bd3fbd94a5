import { describe, expect, it } from 'vitest';

import { createMemoryStore } from '../../infra/local/memory/store.ts';
import { pages } from '../../shared/store/pages.ts';
import { recordQueries } from '../../shared/store/queries.ts';
import { sample } from '../record/samples.ts';

/** A store with waiting records. The second one, if there are as many, is unreadable. */
async function storeWith(count: number) {
  const store = createMemoryStore();
  for (let n = 0; n < count; n += 1) {
    const createdAt = new Date(Date.UTC(2026, 0, 1, 0, n));
    await store.records.create(`record-${n}`, sample('WAITING', { createdAt }));
  }
  if (count > 1) {
    store.put('videoExports/record-1', { state: 'WAITING', createdAt: new Date(Date.UTC(2026, 0, 1, 0, 1)) });
  }
  return store;
}

describe('the pages of a query', () => {
  it.each([
    [0, []],
    [2, [2]],
    [3, [3]],
    [7, [3, 3, 1]],
  ])('of %i documents have %j, and skip none', async (count, sizes) => {
    const store = await storeWith(count);
    const read: string[][] = [];
    for await (const page of pages(store.records, recordQueries.waiting(), 3)) {
      read.push(page.map(({ id }) => id));
    }
    expect(read.map((page) => page.length)).toEqual(sizes);
    expect(read.flat()).toEqual(Array.from({ length: count }, (_, n) => `record-${n}`));
  });
});
