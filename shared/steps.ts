import { setImmediate } from 'node:timers/promises';

/** Long work that yields between its steps. At a yield, the event loop may handle other work. */
export type Steps<R> = Generator<void, R, void>;

export function runAtOnce<R>(steps: Steps<R>): R {
  for (;;) {
    const step = steps.next();
    if (step.done) {
      return step.value;
    }
  }
}

/** Work that is shorter than this, as nearly all is, does not wait for the event loop. */
const STEP_MS = 50;

export async function runInSteps<R>(steps: Steps<R>): Promise<R> {
  let startMs = performance.now();
  for (;;) {
    const step = steps.next();
    if (step.done) {
      return step.value;
    }
    if (performance.now() - startMs > STEP_MS) {
      await setImmediate();
      startMs = performance.now();
    }
  }
}
