import { SECOND_MS } from '../shared/clock.ts';

/**
 * An orderly end. functions-framework answers SIGTERM by cutting every request off and exiting at once; Cloud Run gives
 * ten seconds. In that time what is under way finishes, or hands over what it was waiting for.
 */

/** By then a call that EE has not answered is given up, which leaves time to write that its answer is not known. */
const FINISH_MS = 6 * SECOND_MS;
/** Cloud Run kills at 10 s. */
const EXIT_MS = 9 * SECOND_MS;

export interface Drain {
  /** Aborted when there is no more time to wait for others. */
  readonly stopping: AbortSignal;
  /** No new work is begun. */
  isDraining(): boolean;
  /** Counts work as under way until it settles. */
  track<R>(work: Promise<R>): Promise<R>;
}

/**
 * Takes over SIGTERM and SIGINT. Call it as the module loads: the framework adds its own listeners later, and each is
 * removed as it comes.
 *
 * @param atEnd flushes and closes what is open
 */
export function installDrain(atEnd: () => Promise<void>): Drain {
  const stopping = new AbortController();
  const underWay = new Set<Promise<unknown>>();
  let draining = false;

  const onSignal = (): void => {
    if (draining) {
      return;
    }
    draining = true;
    setTimeout(() => stopping.abort(new Error('the process is stopping')), FINISH_MS).unref();
    // Every request may have been answered, and only closing the clients takes long: that loses nothing.
    setTimeout(() => process.exit(underWay.size === 0 ? 0 : 1), EXIT_MS).unref();
    void finish();
  };
  const finish = async (): Promise<void> => {
    while (underWay.size > 0) {
      await Promise.allSettled(underWay);
    }
    await atEnd().catch(() => undefined);
    // The answers of the last requests are still being written to their sockets.
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
      underWay.add(work);
      try {
        return await work;
      } finally {
        underWay.delete(work);
      }
    },
  };
}
