/** Work in progress, of which only so much runs at a time. */
export interface Senders {
  /** Starts the work as soon as there is room for it. It must not throw. */
  start(work: () => Promise<void>): Promise<void>;
  /** Waits until all of it has ended. */
  idle(): Promise<void>;
  inProgress(): number;
}

/** @param most how many can be in progress now: asked each time, because it may change while they are */
export function createSenders(most: () => number): Senders {
  const working = new Set<Promise<void>>();
  return {
    start: async (work) => {
      while (working.size >= most()) {
        await Promise.race(working);
      }
      const started = work().finally(() => working.delete(started));
      working.add(started);
    },
    idle: async () => {
      await Promise.all(working);
    },
    inProgress: () => working.size,
  };
}
