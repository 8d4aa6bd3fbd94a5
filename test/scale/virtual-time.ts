import type { TestClock } from '../harness.ts';

/** Waits of several callers at once pass together, as in real time, while a test clock alone would add them up. */
export interface VirtualTime {
  sleep(ms: number, signal?: AbortSignal): Promise<void>;
}

interface Sleeper {
  readonly atMs: number;
  readonly wake: () => void;
}

/** Moves `clock` to the next sleeper as soon as everything else waits. */
export function createVirtualTime(clock: TestClock): VirtualTime {
  /** Latest first, so the next one to wake is the last. Of those that wake at the same time, the one that slept first is last. */
  const sleepers: Sleeper[] = [];
  let turning = false;

  const turn = (): void => {
    const next = sleepers.pop();
    if (next) {
      clock.advance(Math.max(0, next.atMs - clock.now().getTime()));
      next.wake();
    }
    turning = sleepers.length > 0;
    if (turning) {
      // What the sleeper does until it waits again happens before the next one wakes.
      setImmediate(() => setImmediate(turn));
    }
  };

  return {
    sleep: (ms, signal) => {
      signal?.throwIfAborted();
      return new Promise((wake) => {
        const atMs = clock.now().getTime() + ms;
        sleepers.splice(insertionIndex(sleepers, atMs), 0, { atMs, wake });
        if (!turning) {
          turning = true;
          setImmediate(() => setImmediate(turn));
        }
      });
    },
  };
}

/**
 * The index at which a sleeper that wakes at this time is inserted. A binary search, because sorting thousands of sleepers each
 * time would take most of a simulation's time.
 */
function insertionIndex(sleepers: readonly Sleeper[], atMs: number): number {
  let [low, high] = [0, sleepers.length];
  while (low < high) {
    const middle = (low + high) >>> 1;
    if ((sleepers[middle] as Sleeper).atMs > atMs) {
      low = middle + 1;
    } else {
      high = middle;
    }
  }
  return low;
}
