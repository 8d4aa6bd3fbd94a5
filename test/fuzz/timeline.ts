import { createHeap } from '../../infra/local/simulator/heap.ts';
import type { TestClock } from '../harness.ts';

/**
 * Virtual time. Whatever waits is woken in the order of its time, one at a time, and only after everything else has come to
 * rest. The order of events therefore follows from the seed alone, and time passes between the calls of a process.
 */
export interface Timeline {
  nowMs(): number;
  sleep(ms: number): Promise<void>;
  /** Wakes what waits until `isOver`, or until nothing waits. */
  run(isOver: () => boolean): Promise<void>;
}

interface Waiting {
  readonly atMs: number;
  readonly order: number;
  wake(): void;
}

export function createTimeline(clock: TestClock): Timeline {
  const waiting = createHeap<Waiting>((a, b) => a.atMs < b.atMs || (a.atMs === b.atMs && a.order < b.order));
  let order = 0;
  const nowMs = () => clock.now().getTime();
  return {
    nowMs,
    sleep: (ms) =>
      new Promise((wake) => {
        order += 1;
        waiting.push({ atMs: nowMs() + Math.max(0, Math.round(ms)), order, wake });
      }),
    run: async (isOver) => {
      for (;;) {
        // The service waits for promises only, never for real input or output: after one turn all of it is at rest.
        await new Promise((atRest) => {
          setImmediate(atRest);
        });
        const next = isOver() ? undefined : waiting.pop();
        if (next === undefined) {
          return;
        }
        clock.advance(Math.max(0, next.atMs - nowMs()));
        next.wake();
      }
    },
  };
}
