import { type Clock, systemClock } from '../../shared/clock.ts';
import type { Store } from '../../shared/store/store.ts';

export interface WatchedStore {
  readonly store: Store;
  /** Waits until nothing has been read for so long. */
  quiet(ms: number): Promise<void>;
}

const LOOK_MS = 20;

/** A store that knows which of its reads are in progress. */
export function watchCalls(store: Store, clock: Clock = systemClock): WatchedStore {
  const calls = { inProgress: 0, lastMs: 0 };

  const watched = <T extends object>(documents: T): T =>
    new Proxy(documents, {
      get: (target, name) => {
        const method: unknown = Reflect.get(target, name);
        // A watch goes on, and returns at once.
        return typeof method !== 'function' || name === 'watch'
          ? method
          : async (...args: unknown[]): Promise<unknown> => {
              calls.inProgress += 1;
              try {
                return await (Reflect.apply(method, target, args) as Promise<unknown>);
              } finally {
                calls.inProgress -= 1;
                calls.lastMs = clock.now().getTime();
              }
            };
      },
    });
  const entries = Object.entries(store).map(([name, value]) => [
    name,
    typeof value === 'object' ? watched(value as object) : value,
  ]);

  return {
    store: Object.fromEntries(entries),
    async quiet(ms) {
      // At least one look later: what waits for a read may begin another one.
      do {
        await clock.sleep(LOOK_MS);
      } while (calls.inProgress > 0 || clock.now().getTime() - calls.lastMs < Math.max(ms, LOOK_MS));
    },
  };
}
