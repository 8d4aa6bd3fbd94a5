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
  const sleepers: Sleeper[] = [];
  let turning = false;

  const turn = (): void => {
    sleepers.sort((a, b) => a.atMs - b.atMs);
    const next = sleepers.shift();
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
        sleepers.push({ atMs: clock.now().getTime() + ms, wake });
        if (!turning) {
          turning = true;
          setImmediate(() => setImmediate(turn));
        }
      });
    },
  };
}
