/**
 * How fast one project's calls are sent. Earth Engine documents 100 requests a second, but the real limit of a project can
 * be lower, and others use it too. It answers 429 beyond the limit. Some 429s have another cause and come at any rate:
 * slowing down for those would stop a queue without making them rarer.
 *
 * So one 429 decides nothing. The rate grows by trials: calls are sent faster for a second or more, until their outcomes
 * show whether they are refused as often as before, or as often as they must be if the limit is exceeded. Both are compared
 * by the likelihood of the outcomes (Wald's sequential test), so a trial takes only as many calls as it needs. Calls between
 * trials are watched the same way, in case the limit has become lower.
 *
 * The numbers are from simulations with 0.2 to 5% of 429s, limits of 5 to 100 requests a second, and latencies of 0.1 to 1 s
 * (`npm run bench -- drain`).
 */

/** The part of the ceiling at which a project without a history starts. */
const START_SHARE = 1 / 10;
/** Requests per second. */
const SLOWEST = 1;
/** A trial is this much faster while no limit is known. */
const FREE_STEP = 1.8;
/** And by this much around a known limit. */
const CAREFUL_STEP = 1.2;
/** After a trial that succeeded, the next step is this power of the last one. */
const WIDER = 1.2;

/** The logarithm of how much likelier the outcomes must be if the limit is exceeded, to believe that it is. */
const EXCEEDED = 6.5;
/** The same for the opposite, which costs less if it is wrong. */
const NOT_EXCEEDED = 3;
/** A trial that is undecided for so many calls after its first second failed: the limit is close. */
const LONGEST_TRIAL = 100;
/** The calls before the first trial. */
const FIRST_CALLS = 10;
/** A refusal that was caused by a rate that was too high is paid for with so many calls without a trial. */
const CALLS_PER_REFUSAL = 150;
/** But with no more calls than this, */
const LONGEST_PAUSE = 1000;
/** and with none after this time. */
const LONGEST_PAUSE_SECONDS = 200;
/** If a limit was exceeded only once, it is tried again sooner, and the calls that are left are due later. */
const CALLS_UNTIL_RETRY = 20;

/** The rate decreases to this part of the calls that were accepted, */
const BACK = 0.9;
/** which these most recent ones show, */
const RECENT_CALLS = 30;
/** but not by more than this at once. */
const LARGEST_DECREASE = 0.4;

/** The share of 429s that come at any rate, and the number of calls that this assumption counts for. */
const ASSUMED_SHARE = 0.025;
const ASSUMED_CALLS = 80;
const LARGEST_SHARE = 0.1;
/** After so many calls, they count half. */
const CALLS_REMEMBERED = 1000;
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
  /** Notes that a call is sent. @param isPaced whether it had to wait for its turn, and so shows what this rate does */
  readonly sent: (isPaced: boolean) => SentAt;
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
  /** What a call shows belongs to the trial, or to the time between trials, in which it was sent. */
  readonly period: number;
  readonly isPaced: boolean;
}

interface Trial {
  readonly rate: number;
  readonly step: number;
  readonly calls: number;
  readonly refused: number;
  readonly evidence: number;
}

/** The 429s that come at any rate. */
function createUsual() {
  let known = { calls: 0, refused: 0 };
  const share = (): number =>
    Math.min(LARGEST_SHARE, (known.refused + ASSUMED_SHARE * ASSUMED_CALLS) / (known.calls + ASSUMED_CALLS));
  return {
    share,
    learn: (calls: number, refused: number): void => {
      const kept = known.calls >= CALLS_REMEMBERED ? 1 / 2 : 1;
      known = { calls: known.calls * kept + calls, refused: known.refused * kept + refused };
    },
    /** The logarithm of how much likelier an outcome is if the rate exceeds the limit by this factor than if it does not. */
    evidenceOf: (refused: boolean, factor: number): number =>
      refused ? Math.log((1 - (1 - share()) / factor) / share()) : -Math.log(factor),
  };
}

function withOutcome(trial: Trial, { isPaced }: SentAt, refused: boolean, evidence: number): Trial {
  return {
    ...trial,
    // A trial takes a second of calls at its rate at least, since Earth Engine counts the calls of a second.
    calls: trial.calls + (isPaced ? 1 : 0),
    refused: trial.refused + (refused ? 1 : 0),
    evidence: Math.max(-NOT_EXCEEDED, trial.evidence + evidence),
  };
}

/** @param ceiling calls per second at most */
export function createRate(ceiling: number): Rate {
  /** The rate between trials. */
  let perSecond = ceiling * START_SHARE;
  let limit: number | undefined;
  let step = FREE_STEP;
  let trial: Trial | undefined;
  /** The calls that are left until the next trial. */
  let pause = FIRST_CALLS;
  /** Whether `limit` was exceeded only once, which may be chance. */
  let isDoubted = false;
  let period = 0;
  /** That `perSecond` exceeds the limit. */
  let evidence = 0;
  /** Outcomes since the last change or trial: whether a call was refused. */
  let recent: boolean[] = [];
  /** Whether a trial has shown that `perSecond` does not exceed the limit. */
  let isProven = false;
  const usual = createUsual();
  let refusedInARow = 0;

  const payFor = (calls: number, refused: number): void => {
    const debt = pause + (refused - calls * usual.share()) * CALLS_PER_REFUSAL;
    pause = Math.max(0, Math.min(debt, LONGEST_PAUSE, perSecond * LONGEST_PAUSE_SECONDS));
  };

  const change = (to: number): void => {
    perSecond = Math.max(SLOWEST, Math.min(ceiling, to));
    trial = undefined;
    evidence = 0;
    recent = [];
    period += 1;
  };

  const startTrial = (): void => {
    const isDue = pause <= 0 || (isDoubted && recent.length >= CALLS_UNTIL_RETRY);
    if (perSecond < ceiling && isDue && evidence === 0) {
      trial = { rate: Math.min(ceiling, perSecond * step), step, calls: 0, refused: 0, evidence: 0 };
      period += 1;
    }
  };

  const judgeTrial = (current: Trial, call: SentAt, refused: boolean): void => {
    const next = withOutcome(current, call, refused, usual.evidenceOf(refused, current.step));
    trial = next;
    const isUndecided = next.calls > next.rate + LONGEST_TRIAL;
    if (next.evidence >= EXCEEDED || isUndecided) {
      isDoubted = limit === undefined;
      limit = next.rate;
      step = Math.max(CAREFUL_STEP, Math.sqrt(step));
      change(perSecond);
      payFor(next.calls, next.refused);
    } else if (next.evidence <= -NOT_EXCEEDED && next.calls >= next.rate) {
      if (limit !== undefined && next.rate >= limit) {
        limit = undefined;
        pause = 0;
      }
      isProven = true;
      usual.learn(next.calls, next.refused);
      step = Math.min(FREE_STEP, step ** WIDER);
      // A limit that is exceeded by less than the step would not show, so only a part of it is safe.
      change(next.rate === ceiling ? ceiling : perSecond * Math.sqrt(next.step));
      startTrial();
    }
  };

  const watch = (refused: boolean): void => {
    pause = Math.max(0, pause - 1);
    recent = [...recent.slice(1 - RECENT_CALLS), refused];
    evidence = Math.max(0, evidence + usual.evidenceOf(refused, CAREFUL_STEP));
    if (isProven && perSecond < ceiling) {
      usual.learn(1, refused ? 1 : 0);
    }
    if (evidence >= EXCEEDED) {
      const refusals = recent.filter(Boolean).length;
      isDoubted = limit === undefined;
      limit = perSecond;
      step = CAREFUL_STEP;
      isProven = false;
      payFor(recent.length, refusals);
      change(perSecond * Math.max(LARGEST_DECREASE, BACK * (1 - refusals / recent.length)));
    }
    startTrial();
  };

  const rateNow = (): number => trial?.rate ?? perSecond;

  const judge = (call: SentAt, refused: boolean): void => {
    const counts = call.period === period;
    refusedInARow = refused ? refusedInARow + (counts ? 1 : 0) : 0;
    if (!counts) {
      if (call.rate > rateNow()) {
        payFor(1, refused ? 1 : 0);
      }
    } else if (trial === undefined) {
      watch(refused);
    } else {
      judgeTrial(trial, call, refused);
    }
  };

  return {
    perSecond: rateNow,
    sent: (isPaced) => ({ rate: rateNow(), period, isPaced }),
    accepted: (call) => judge(call, false),
    refused: (call) => judge(call, true),
    isRefusedPersistently: () => refusedInARow >= PERSISTENT,
    memory: () => ({ perSecond, limit }),
    resume: (memory) => {
      limit = memory?.limit;
      step = limit === undefined ? FREE_STEP : CAREFUL_STEP;
      pause = limit === undefined ? FIRST_CALLS : CALLS_PER_REFUSAL;
      isDoubted = false;
      isProven = false;
      refusedInARow = 0;
      change(memory?.perSecond ?? ceiling * START_SHARE);
    },
  };
}
