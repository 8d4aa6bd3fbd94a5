/** Bounds the memory of work in progress: work takes turns. */
export interface Turns {
  /**
   * Runs `work` once its bytes fit into the budget beside the work in progress, in the order of the calls. Work that is larger
   * than the budget runs alone.
   *
   * @throws NoTurnError if its turn does not come in time
   */
  take<R>(bytes: number, work: () => Promise<R>): Promise<R>;
}

export class NoTurnError extends Error {
  override readonly name = 'NoTurnError';
}

interface Waiting {
  readonly bytes: number;
  readonly start: () => void;
}

export function createTurns(budgetBytes: number, patienceMs: number): Turns {
  const waiting: Waiting[] = [];
  let used = 0;

  const startNext = (): void => {
    for (let next = waiting[0]; next && (used === 0 || used + next.bytes <= budgetBytes); next = waiting[0]) {
      waiting.shift();
      used += next.bytes;
      next.start();
    }
  };

  const turn = async (bytes: number): Promise<void> => {
    const { promise, resolve, reject } = Promise.withResolvers<void>();
    const entry = { bytes, start: resolve };
    const patience = setTimeout(() => {
      waiting.splice(waiting.indexOf(entry), 1);
      reject(new NoTurnError(`The work before it took longer than ${patienceMs} ms`));
      startNext();
    }, patienceMs);
    waiting.push(entry);
    startNext();
    await promise.finally(() => clearTimeout(patience));
  };

  return {
    async take(bytes, work) {
      await turn(bytes);
      try {
        return await work();
      } finally {
        used -= bytes;
        startNext();
      }
    },
  };
}
