import * as fc from 'fast-check';
import { describe, expect, it } from 'vitest';

import { createMemoryStore } from '../../infra/local/memory/store.ts';
import { createHourHistory } from '../../page/views/hours.ts';
import { HOUR_MS, later, MINUTE_MS } from '../../shared/clock.ts';
import type { Store } from '../../shared/store/store.ts';

const now = new Date('2026-11-23T12:34:00.000Z');
const firstHour = Date.parse('2026-11-22T13:00:00.000Z');

interface Ended {
  readonly minute: number;
  readonly state: string;
  readonly eecuSeconds?: number;
}

/** A store with jobs that ended in the minutes after the first hour began, and the number of its aggregations. */
function storeOf(ended: readonly Ended[]) {
  const memory = createMemoryStore();
  const put = ({ minute, state, eecuSeconds }: Ended, id: number): void =>
    memory.put(`videoExports/${id}`, {
      state,
      finishedAt: new Date(firstHour + minute * MINUTE_MS),
      ...(eecuSeconds === undefined ? {} : { eecuSeconds }),
    });
  ended.forEach(put);
  const counted = { queries: 0 };
  const store: Store = {
    ...memory,
    records: {
      ...memory.records,
      count: (query) => {
        counted.queries += 1;
        return memory.records.count(query);
      },
      sum: (query, field) => {
        counted.queries += 1;
        return memory.records.sum(query, field);
      },
    },
  };
  return { store, put, counted };
}

const success = (minute: number): Ended => ({ minute, state: 'SUCCEEDED', eecuSeconds: 1.5 });

describe('the hours of the overview', () => {
  it('are the last 24, and count what ended in each', async () => {
    const minute = fc.integer({ min: -200, max: 24 * 60 + 33 });
    const state = fc.constantFrom('SUCCEEDED', 'FAILED', 'CANCELLED', 'LOST', 'REJECTED');
    const job = fc.record(
      { minute, state, eecuSeconds: fc.integer({ min: 0, max: 9 }) },
      { requiredKeys: ['minute', 'state'] },
    );
    await fc.assert(
      fc.asyncProperty(fc.array(job, { maxLength: 40 }), async (jobs) => {
        const hours = await createHourHistory().read(storeOf(jobs).store, now);
        expect(hours).toEqual(
          Array.from({ length: 24 }, (_, n) => {
            const inHour = jobs.filter(({ minute }) => Math.floor(minute / 60) === n);
            const succeeded = inHour.filter(({ state }) => state === 'SUCCEEDED').length;
            return {
              from: new Date(firstHour + n * HOUR_MS).toISOString(),
              succeeded,
              unsuccessful: inHour.length - succeeded,
              eecuSeconds: inHour.reduce((sum, { eecuSeconds = 0 }) => sum + eecuSeconds, 0),
            };
          }),
        );
      }),
      { numRuns: 60 },
    );
  });

  it.each([
    ['if nothing ended', [], 2],
    ['if everything ended in one hour', [success(5), success(6)], 8],
    ['if something ended in every hour', Array.from({ length: 24 }, (_, n) => success(n * 60)), 49],
  ])('take few queries %s', async (_when, jobs, most) => {
    const { store, counted } = storeOf(jobs);
    await createHourHistory().read(store, now);
    expect(counted.queries).toBeLessThanOrEqual(most);
  });

  it('are counted again only while something can still be recorded in them', async () => {
    const { store, put, counted } = storeOf(Array.from({ length: 24 }, (_, n) => success(n * 60)));
    const history = createHourHistory();
    await history.read(store, now);
    counted.queries = 0;
    put(success(22 * 60 + 30), 100);
    put({ minute: 23 * 60 + 10, state: 'FAILED' }, 101);
    const hours = await history.read(store, later(now, MINUTE_MS));
    expect(hours.slice(-3)).toMatchObject([
      { succeeded: 1, unsuccessful: 0 },
      { succeeded: 2, unsuccessful: 0 },
      { succeeded: 1, unsuccessful: 1 },
    ]);
    expect(counted.queries).toBeLessThanOrEqual(8);
    const next = await history.read(store, later(now, HOUR_MS));
    expect(next.at(-1)).toMatchObject({ from: '2026-11-23T13:00:00.000Z', succeeded: 0 });
    expect(next).toHaveLength(24);
  });
});
