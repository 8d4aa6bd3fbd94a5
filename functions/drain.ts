import { SECOND_MS } from '../shared/clock.ts';

/**
 * Graceful shutdown. On SIGTERM, functions-framework drops every request and exits at once, although Cloud Run allows ten
 * seconds. In that time, work in progress finishes, or leaves the rest to the poller.
 */

/** Calls without a response are abandoned after this time, which leaves time to record them as unanswered. */
const FINISH_MS = 6 * SECOND_MS;
/** Cloud Run kills the process after 10 s. */
const EXIT_MS = 9 * SECOND_MS;

export interface Drain {
  /** Aborted when there is no more time to wait for responses. */
  readonly stopping: AbortSignal;
  /** Whether new work is no longer accepted. */
  isDraining(): boolean;
  /** Counts work as in progress until it settles. */
  track<R>(work: Promise<R>): Promise<R>;
}

/**
 * Handles SIGTERM and SIGINT. Call it while the module loads: the framework adds its own listeners later, and this removes
 * them.
 *
 * @param atEnd flushes and closes the clients
 */
export function installDrain(atEnd: () => Promise<void>): Drain {
  const stopping = new AbortController();
  const inProgress = new Set<Promise<unknown>>();
  let draining = false;

  const onSignal = (): void => {
    if (draining) {
      return;
    }
    draining = true;
    setTimeout(() => stopping.abort(new Error('the process is stopping')), FINISH_MS).unref();
    // With no work in progress, only closing the clients takes long, and nothing is lost.
    setTimeout(() => process.exit(inProgress.size === 0 ? 0 : 1), EXIT_MS).unref();
    void finish();
  };
  const finish = async (): Promise<void> => {
    while (inProgress.size > 0) {
      await Promise.allSettled(inProgress);
    }
    await atEnd().catch(() => undefined);
    // The last responses are still being written to their sockets.
    setImmediate(() => process.exit(0));
  };

  const signals = new Set<string | symbol>(['SIGTERM', 'SIGINT']);
  process.on('newListener', (event: string | symbol, listener: (...args: unknown[]) => void) => {
    if (signals.has(event) && (listener as unknown) !== onSignal) {
      setImmediate(() => process.off(event, listener));
    }
  });
  process.on('SIGTERM', onSignal);
  process.on('SIGINT', onSignal);

  return {
    stopping: stopping.signal,
    isDraining: () => draining,
    track: async (work) => {
      inProgress.add(work);
      try {
        return await work;
      } finally {
        inProgress.delete(work);
      }
    },
  };
}
