/**
 * How fast one project's calls are sent. Earth Engine documents 100 requests a second, but the real limit of a project can
 * be lower, and others use it too. So the rate adapts, as TCP's does: it grows a little with each call that Earth Engine
 * accepts, and decreases by a fifth when Earth Engine refuses calls because of the rate.
 *
 * Some 429s have another cause and come at any rate: slowing down for those would stop a queue without making them rarer.
 * A rate that was accepted a moment ago tells them apart. Calls that are clearly slower than that show how many 429s come
 * anyway, and so many are ignored at any rate.
 *
 * The numbers are from simulations with 0.2 to 5% of 429s, limits of 5, 20, and 100 requests a second, and latencies of 0.1
 * to 1 s (`npm run bench -- drain`).
 */

/** The part of the ceiling at which a project without a history starts. */
const START_SHARE = 1 / 10;
/** Requests per second. */
const SLOWEST = 1;
/** Growth with each accepted call while no limit is known: the rate doubles every 35 calls. */
const FREE_GROWTH = 1.02;
const DECREASE = 0.8;
/**
 * After a decrease, the rate returns to where it was over this many accepted calls, and over twice as many each time it is
 * refused there again: trying again must cost less than two calls in a hundred.
 */
const FIRST_RETURN = 50;
const LONGEST_RETURN = 400;
/** More calls in flight mean later news of a rate that is too high. */
const RETURN_PER_CALL_IN_FLIGHT = 3;
/** A decrease at up to this much below the last rate that was too high confirms it. */
const CONFIRMS = 0.85;
/** A rate that is higher than the limit by this much shows that the limit no longer applies. */
const REFUTES = 1.1;

const RECENT_CALLS = 40;
/** What was accepted loses its weight: after 1,400 calls, half of it counts. */
const FORGETTING = 0.9995;
/** And faster with each refusal: the limit may have become lower. */
const DOUBT = 0.98;
/** Calls at up to this part of the accepted rate are safe: they are not refused because of the rate. */
const SAFE = 0.9;
const SAFE_CALLS_REMEMBERED = 500;
/** Counted as accepted before any were seen. */
const SAFE_CALLS_ASSUMED = 10;
/** Unless this share of the most recent calls is refused: then the limit has become lower. */
const LOWER_LIMIT_SHARE = 0.2;
const MAX_BACKGROUND = 0.08;
/** Refusals are ignored if they are less than this many times as frequent as those of safe calls. */
const TOLERANCE = 2;
/** Refusals that are ignored after a decrease, and at most. */
const IGNORED = 2;
const MAX_IGNORED = 5;
/** Refused calls in a row, sent at the current rate, that show that slowing down does not help. */
const PERSISTENT = 10;

/** How fast a project's calls were sent last, to continue from. */
export interface PaceMemory {
  readonly perSecond: number;
  /** The last rate that was too high, if there was one. */
  readonly limit?: number | undefined;
}

/** The rate of one project's calls, as their outcomes change it. Pure, except that it remembers. */
export interface Rate {
  readonly perSecond: () => number;
  /** Notes that a call is sent, at the current rate. */
  readonly sent: () => SentAt;
  /** The call ended without showing anything about the rate. */
  readonly ended: () => void;
  readonly accepted: (call: SentAt) => void;
  readonly refused: (call: SentAt) => void;
  /** Calls are refused over and over, although they are sent more and more slowly. */
  readonly isRefusedPersistently: () => boolean;
  readonly memory: () => PaceMemory;
  /** Continues from `memory`, or starts over. */
  readonly resume: (memory?: PaceMemory) => void;
}

export interface SentAt {
  readonly rate: number;
  /** A refusal of a call that was sent before the last decrease says nothing about the rate now. */
  readonly decreases: number;
}

/** @param ceiling calls per second at most */
export function createRate(ceiling: number): Rate {
  let perSecond = ceiling * START_SHARE;
  let limit: number | undefined;
  let callsToReturn = FIRST_RETURN;
  /** The highest rate at which calls were accepted. */
  let accepted = 0;
  let recent: { readonly rate: number; readonly refused: boolean }[] = [];
  let safe = { calls: 0, refused: 0 };
  let ignored = IGNORED;
  let refusedInARow = 0;
  let decreases = 0;
  let inFlight = 0;

  const refusedShare = (): number => recent.filter(({ refused }) => refused).length / recent.length;
  const meanRate = (): number => recent.reduce((sum, { rate }) => sum + rate, 0) / recent.length;
  const isSafe = (rate: number): boolean => rate <= accepted * SAFE;

  const note = (rate: number, refused: boolean): void => {
    recent = [...recent.slice(1 - RECENT_CALLS), { rate, refused }];
    const background = Math.min(MAX_BACKGROUND, safe.refused / (safe.calls + SAFE_CALLS_ASSUMED));
    ignored = Math.min(MAX_IGNORED, ignored + background * TOLERANCE);
    if (isSafe(rate)) {
      const kept = safe.calls >= SAFE_CALLS_REMEMBERED ? 1 / 2 : 1;
      safe = { calls: safe.calls * kept + 1, refused: safe.refused * kept + (refused ? 1 : 0) };
    }
    accepted *= refused ? DOUBT : FORGETTING;
    if (recent.length === RECENT_CALLS) {
      accepted = Math.max(accepted, meanRate() * (1 - refusedShare()));
    }
  };

  const grow = (): void => {
    if (limit !== undefined && perSecond < limit * REFUTES) {
      perSecond += (limit * (1 - DECREASE)) / (callsToReturn + RETURN_PER_CALL_IN_FLIGHT * inFlight);
    } else {
      callsToReturn = FIRST_RETURN;
      perSecond *= FREE_GROWTH;
    }
    perSecond = Math.min(ceiling, perSecond);
  };

  const isTooHigh = (rate: number): boolean => {
    if (isSafe(rate)) {
      return recent.length >= RECENT_CALLS / 2 && refusedShare() >= LOWER_LIMIT_SHARE;
    }
    ignored -= 1;
    return ignored < 0;
  };

  const slowDown = (rate: number): void => {
    if (isSafe(rate)) {
      // The limit has become lower, so what was taken for safe was not.
      accepted = meanRate() * (1 - refusedShare());
      safe = { calls: 0, refused: 0 };
    }
    const isConfirmed = limit !== undefined && rate > limit * CONFIRMS;
    callsToReturn = isConfirmed ? Math.min(LONGEST_RETURN, callsToReturn * 2) : FIRST_RETURN;
    limit = rate;
    const works = accepted > 0 ? Math.min(rate, accepted) : rate * (1 - refusedShare());
    perSecond = Math.max(SLOWEST, works * DECREASE);
    ignored = IGNORED;
    recent = [];
    decreases += 1;
  };

  return {
    perSecond: () => perSecond,
    sent: () => {
      inFlight += 1;
      return { rate: perSecond, decreases };
    },
    ended: () => {
      inFlight -= 1;
    },
    accepted: ({ rate }) => {
      refusedInARow = 0;
      note(rate, false);
      grow();
    },
    refused: (call) => {
      if (call.decreases !== decreases) {
        return;
      }
      refusedInARow += 1;
      note(call.rate, true);
      if (isTooHigh(call.rate)) {
        slowDown(call.rate);
      }
    },
    isRefusedPersistently: () => refusedInARow >= PERSISTENT,
    memory: () => ({ perSecond, limit }),
    resume: (memory) => {
      perSecond = memory ? Math.min(ceiling, Math.max(SLOWEST, memory.perSecond)) : ceiling * START_SHARE;
      limit = memory?.limit;
      accepted = 0;
      recent = [];
      refusedInARow = 0;
      decreases += 1;
    },
  };
}
