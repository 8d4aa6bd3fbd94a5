import { type Clock, SECOND_MS } from '../clock.ts';
import { EarthEngineError } from './api.ts';
import { createRate, type PaceMemory } from './rate.ts';

/** One project's calls take turns, at a rate that follows their outcomes. */

const USUAL_CALL_MS = 300;
/** The weight of the most recent call in the average of the time that calls take. */
const NEWEST_SHARE = 0.1;

/** One call's permission to be sent. */
export interface Turn {
  /** Called once, with the error if the call failed. */
  readonly end: (error?: unknown) => void;
}

export interface Pace {
  /** Waits for the next call's turn; undefined if it does not come before `until`, or if `signal` is aborted first. */
  readonly turn: (until: Date, signal?: AbortSignal) => Promise<Turn | undefined>;
  /** How long a call that asks now waits for its turn at least. */
  readonly waitMs: () => number;
  /** Calls are refused over and over, although they are sent more and more slowly. */
  readonly isRefusedPersistently: () => boolean;
  /** How many calls had their turn. */
  readonly turns: () => number;
  /** How many calls are in flight if each is sent when it is its turn, and takes this much longer than it does. */
  readonly callsAtOnce: (longerByMs: number) => number;
  readonly memory: () => PaceMemory;
  /** Continues from `memory`, or starts over. */
  readonly resume: (memory?: PaceMemory) => void;
}

/** @param ceiling calls per second at most */
export function createPace(clock: Clock, ceiling: number): Pace {
  const rate = createRate(ceiling);
  /** How long a call takes on average. */
  let callMs = USUAL_CALL_MS;
  let taken = 0;
  let lastTurnMs = 0;
  let blockedUntilMs = 0;
  let lastWaiting: Promise<void> = Promise.resolve();

  const nextTurnMs = (): number =>
    Math.max(clock.now().getTime(), lastTurnMs + SECOND_MS / rate.perSecond(), blockedUntilMs);

  const take = (hasWaited: boolean): Turn => {
    lastTurnMs = nextTurnMs();
    taken += 1;
    const call = rate.sent(hasWaited);
    const sentAtMs = clock.now().getTime();
    return {
      end: (error) => {
        const nowMs = clock.now().getTime();
        callMs += (nowMs - sentAtMs - callMs) * NEWEST_SHARE;
        const kind = error instanceof EarthEngineError ? error.kind : 'ANSWERED';
        if (kind === 'RATE_LIMITED') {
          const { retryAfterMs = 0 } = error as EarthEngineError;
          blockedUntilMs = Math.max(blockedUntilMs, nowMs + retryAfterMs);
          rate.refused(call);
        } else if (kind !== 'UNANSWERED' && kind !== 'NOT_SENT') {
          rate.accepted(call);
        }
      },
    };
  };

  return {
    turn: async (until, signal) => {
      // One at a time, so that a decrease applies to all that still wait.
      const previous = lastWaiting;
      const { promise, resolve } = Promise.withResolvers<void>();
      lastWaiting = promise;
      try {
        await previous;
        for (let hasWaited = false; ; hasWaited = true) {
          const turnMs = nextTurnMs();
          const waitMs = turnMs - clock.now().getTime();
          if (turnMs >= until.getTime()) {
            return undefined;
          }
          if (signal?.aborted) {
            return undefined;
          }
          // Timers have a resolution of a millisecond. `lastTurnMs` keeps the fraction.
          if (waitMs < 1) {
            return take(hasWaited);
          }
          await clock.sleep(waitMs, signal).catch(() => undefined);
        }
      } finally {
        resolve();
      }
    },
    waitMs: () => nextTurnMs() - clock.now().getTime(),
    isRefusedPersistently: rate.isRefusedPersistently,
    turns: () => taken,
    callsAtOnce: (longerByMs) => Math.ceil((rate.perSecond() * (callMs + longerByMs)) / SECOND_MS),
    memory: rate.memory,
    resume: (memory) => {
      rate.resume(memory);
      if (memory === undefined) {
        // The pause that Earth Engine asked for is in the gate by now, which limits its length.
        blockedUntilMs = 0;
      }
    },
  };
}
