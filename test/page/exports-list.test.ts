import { describe, expect, it } from 'vitest';

import { createMemoryStore } from '../../infra/local/memory/store.ts';
import { exportsList } from '../../page/views/exports.ts';
import { systemClock } from '../../shared/clock.ts';
import type { Store } from '../../shared/store/store.ts';
import { recordFor } from './seed.ts';

describe('a list in a slow database', () => {
  it('comes before the number of exports, which the page does not wait for', async () => {
    const memory = createMemoryStore();
    const { id, record } = recordFor('PENDING', 'slow/1');
    await memory.records.create(id, record);
    const calls: string[] = [];
    const store: Store = {
      ...memory,
      records: {
        ...memory.records,
        find: async (query, page) => {
          calls.push('list');
          const found = await memory.records.find(query, page);
          calls.push('listed');
          return found;
        },
        count: () => {
          calls.push('count');
          return new Promise(() => {});
        },
      },
    };
    const clock = { ...systemClock, sleep: () => new Promise<void>((resolve) => setImmediate(resolve)) };
    const filter = { states: [], deliveries: [] };
    const view = await exportsList(store, clock, { filter, after: undefined, limit: 100, patienceMs: 200 });
    expect(view.rows.map(({ name }) => name)).toEqual(['slow/1']);
    expect(view).not.toHaveProperty('total');
    expect(calls).toEqual(['list', 'listed', 'count']);
  });
});
