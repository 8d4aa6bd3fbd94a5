import { describe, expect, it } from 'vitest';

import { createMemoryStore } from '../../infra/local/memory/store.ts';
import { type Change, createLive } from '../../page/server/live.ts';
import { createViewCache } from '../../page/server/view-cache.ts';
import type { Clock } from '../../shared/clock.ts';
import { ServiceError } from '../../shared/errors.ts';
import { silentLog } from '../../shared/log.ts';
import { isReadable, type Store, type Watcher } from '../../shared/store/store.ts';
import { countStore } from '../counting-store.ts';
import { samples } from '../record/samples.ts';
import { recordFor } from './seed.ts';

/** A clock that the test moves. Waits end when their time comes. */
function manualClock() {
  let nowMs = Date.now();
  const waits = new Set<{ readonly untilMs: number; readonly end: () => void }>();
  const clock: Clock = {
    now: () => new Date(nowMs),
    sleep: (ms, signal) =>
      new Promise((resolve, reject) => {
        const wait = { untilMs: nowMs + ms, end: resolve };
        waits.add(wait);
        signal?.addEventListener('abort', () => reject(new Error('aborted')));
      }),
  };
  return {
    clock,
    advance: async (ms: number): Promise<void> => {
      // What is under way settles first, including the store's reports.
      await settled();
      nowMs += ms;
      for (const wait of waits) {
        if (wait.untilMs <= nowMs) {
          waits.delete(wait);
          wait.end();
        }
      }
      await settled();
    },
  };
}

async function settled(): Promise<void> {
  for (let turn = 0; turn < 5; turn++) {
    await new Promise((resolve) => setImmediate(resolve));
  }
}

async function listening(store: Store) {
  const { clock, advance } = manualClock();
  const live = createLive(store, clock, silentLog);
  const changes: Change[] = [];
  const unsubscribe = live.subscribe((change) => changes.push(change));
  await advance(200);
  changes.length = 0;
  return { live, clock, advance, changes, unsubscribe };
}

describe('changes', () => {
  it('within a moment are reported together, each record once, as it is', async () => {
    const store = createMemoryStore();
    const { advance, changes, live } = await listening(store);
    const { id, record } = recordFor('PENDING', 'a', { updatedAt: new Date() });
    await store.records.create(id, record);
    await settled();
    const found = await store.records.get(id);
    if (found && isReadable(found)) {
      await store.records.replace(found, {
        ...samples.RUNNING,
        ...record,
        state: 'RUNNING',
        updatedAt: new Date(),
      });
    }
    await settled();
    expect(changes).toEqual([]);
    await advance(200);
    expect(changes).toMatchObject([
      { rows: [{ id, state: 'RUNNING' }], incomplete: false, version: live.version },
    ]);
  });

  it('that are too many to list are reported as incomplete', async () => {
    const store = createMemoryStore();
    const { advance, changes } = await listening(store);
    await Promise.all(
      Array.from({ length: 60 }, (_, n) =>
        store.records.create(`r${n}`, { ...samples.PENDING, updatedAt: new Date(Date.now() + n) }),
      ),
    );
    await advance(200);
    expect(changes).toMatchObject([{ incomplete: true }]);
  });

  it('are read once for all viewers, and not at all without one', async () => {
    const store = countStore(createMemoryStore());
    const { live, advance, unsubscribe } = await listening(store);
    const others = Array.from({ length: 49 }, () => live.subscribe(() => {}));
    store.takeBill();
    await store.records.create('a', { ...samples.PENDING, updatedAt: new Date() });
    await advance(200);
    expect(store.takeBill().reads).toBe(1);
    [...others, unsubscribe].forEach((leave) => leave());
    await advance(30_000);
    expect(live.isListening).toBe(false);
    await store.records.create('b', { ...samples.PENDING, updatedAt: new Date() });
    await settled();
    expect(store.takeBill().reads).toBe(0);
  });

  it('are listened for again after a listener has failed', async () => {
    const memory = createMemoryStore();
    const watchers: Watcher<never>[] = [];
    const store: Store = {
      ...memory,
      records: {
        ...memory.records,
        watch: (query, limit, watcher) => {
          watchers.push(watcher);
          return memory.records.watch(query, limit, watcher);
        },
      },
    };
    const { live, advance, changes } = await listening(store);
    watchers[0]?.failed(new ServiceError('STORE_FAILED', 'the listener ended'));
    expect(live.isListening).toBe(false);
    await advance(5000);
    await advance(200);
    expect(live.isListening).toBe(true);
    // What changed meanwhile is unknown.
    expect(changes.at(-1)).toMatchObject({ incomplete: true });
  });
});

describe('a view', () => {
  const view = { kind: 'problem', status: 404 } as const;

  it('is made once for all who look at it, until something changes', async () => {
    const store = createMemoryStore();
    const { live, clock, advance } = await listening(store);
    const cache = createViewCache(live, clock);
    let made = 0;
    const look = () =>
      cache.get('/', async () => {
        made += 1;
        return view;
      });
    await Promise.all([look(), look(), look()]);
    await advance(10_000);
    await look();
    expect(made).toBe(1);
    await store.records.create('a', { ...samples.PENDING, updatedAt: new Date() });
    await advance(200);
    await advance(500);
    expect((await look()).version).toBe(live.version);
    expect(made).toBe(2);
  });

  it('is made every few seconds while everything changes all the time', async () => {
    const store = createMemoryStore();
    const { live, clock, advance } = await listening(store);
    const cache = createViewCache(live, clock);
    let made = 0;
    for (let second = 0; second < 100; second++) {
      await store.records.create(`r${second}`, {
        ...samples.PENDING,
        updatedAt: new Date(Date.now() + second),
      });
      await advance(1000);
      await cache.get('/', async () => {
        made += 1;
        return view;
      });
    }
    expect(made).toBeGreaterThanOrEqual(100 / 5);
    expect(made).toBeLessThanOrEqual(100 / 5 + 10);
  });

  it('that was incomplete is as old as its beginning, and asked for again if something has changed since', async () => {
    const store = createMemoryStore();
    const { live, clock, advance } = await listening(store);
    const cache = createViewCache(live, clock);
    const begun = live.version;
    const overview = (isIncomplete: boolean) => async () => ({ kind: 'overview', isIncomplete }) as const;
    expect((await cache.get('/', overview(true))).version).toBe(0);
    await store.records.create('a', { ...samples.PENDING, updatedAt: new Date() });
    await advance(200);
    await advance(1500);
    expect(live.version).toBeGreaterThan(begun);
    expect((await cache.get('/', overview(false))).version).toBe(begun);
    await advance(1500);
    expect((await cache.get('/', overview(false))).version).toBe(live.version);
  });

  it('that could not be made is tried again', async () => {
    const { live, clock } = await listening(createMemoryStore());
    const cache = createViewCache(live, clock);
    await expect(cache.get('/', () => Promise.reject(new Error('down')))).rejects.toThrow('down');
    expect(await cache.get('/', async () => view)).toMatchObject({ view });
  });
});
