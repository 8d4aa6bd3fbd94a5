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
 * Earth Engine can also refuse all calls for a while. That says nothing about the limit, so the rate before is tried again as
 * soon as calls are accepted.
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
/** If a limit was exceeded only once, it is tried again after so many calls, and the calls that are left are due later. */
const CALLS_UNTIL_RETRY = 20;
/** After a decrease, the rate is tried again after the calls of a second, but no fewer than this. */
const CALLS_UNTIL_RETURN = 3;

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

interface State {
  /** The rate between trials. */
  perSecond: number;
  limit: number | undefined;
  step: number;
  trial: Trial | undefined;
  /** The calls that are left until the next trial. */
  pause: number;
  /** Whether `limit` was exceeded only once, which may be chance. */
  isDoubted: boolean;
  period: number;
  /** The rate before a decrease, while it is not known whether a limit or a burst of 429s caused that. */
  before: number | undefined;
  /** That `perSecond` exceeds the limit. */
  evidence: number;
  /** Outcomes since the last change or trial: whether a call was refused. */
  recent: boolean[];
  /** Whether a trial has shown that `perSecond` does not exceed the limit. */
  isProven: boolean;
  refusedInARow: number;
}

const startAt = (ceiling: number, memory?: PaceMemory): State => ({
  perSecond: memory?.perSecond ?? Math.max(SLOWEST, ceiling * START_SHARE),
  limit: memory?.limit,
  step: memory?.limit === undefined ? FREE_STEP : CAREFUL_STEP,
  trial: undefined,
  pause: memory?.limit === undefined ? FIRST_CALLS : CALLS_PER_REFUSAL,
  isDoubted: false,
  period: 0,
  before: undefined,
  evidence: 0,
  recent: [],
  isProven: memory !== undefined,
  refusedInARow: 0,
});

/** Whether the rate before a decrease can be tried again. */
function isReturnDue({ perSecond, recent, evidence }: State): boolean {
  const calls = Math.ceil(Math.min(CALLS_UNTIL_RETRY, Math.max(CALLS_UNTIL_RETURN, perSecond)));
  return recent.length >= calls && (evidence === 0 || !recent.slice(-calls).includes(true));
}

/** @param ceiling calls per second at most */
export function createRate(ceiling: number): Rate {
  const now = startAt(ceiling);
  const usual = createUsual();

  const payFor = (calls: number, refused: number): void => {
    const debt = now.pause + (refused - calls * usual.share()) * CALLS_PER_REFUSAL;
    now.pause = Math.max(0, Math.min(debt, LONGEST_PAUSE, now.perSecond * LONGEST_PAUSE_SECONDS));
  };

  const change = (to: number): void => {
    now.perSecond = Math.max(SLOWEST, Math.min(ceiling, to));
    now.trial = undefined;
    now.evidence = 0;
    now.recent = [];
    now.period += 1;
  };

  const begin = (rate: number, step: number): void => {
    now.trial = { rate: Math.min(ceiling, rate), step, calls: 0, refused: 0, evidence: 0 };
    now.period += 1;
  };

  const startTrial = (): void => {
    const isDue = now.pause <= 0 || (now.isDoubted && now.recent.length >= CALLS_UNTIL_RETRY);
    if (now.before !== undefined) {
      if (isReturnDue(now)) {
        begin(now.before, CAREFUL_STEP);
      }
    } else if (now.perSecond < ceiling && isDue && now.evidence === 0) {
      begin(now.perSecond * now.step, now.step);
    }
  };

  const judgeTrial = (current: Trial, call: SentAt, refused: boolean): void => {
    const next = withOutcome(current, call, refused, usual.evidenceOf(refused, current.step));
    now.trial = next;
    const isUndecided = next.calls > next.rate + LONGEST_TRIAL;
    if (next.evidence >= EXCEEDED || isUndecided) {
      now.isDoubted = now.before === undefined ? now.limit === undefined : now.isDoubted;
      now.limit = next.rate;
      now.step = Math.max(CAREFUL_STEP, Math.sqrt(now.step));
      // The trial of the rate before a burst can end in the next burst, so half of it is tried next.
      now.before = now.before !== undefined && now.before / 2 > now.perSecond ? now.before / 2 : undefined;
      change(now.perSecond);
      payFor(next.calls, next.refused);
    } else if (next.evidence <= -NOT_EXCEEDED && next.calls >= next.rate) {
      if (now.limit !== undefined && next.rate >= now.limit) {
        now.limit = undefined;
        now.pause = 0;
      }
      now.isProven = true;
      usual.learn(next.calls, next.refused);
      now.step = Math.min(FREE_STEP, now.step ** WIDER);
      // A limit that is exceeded by less than the step would not show, so only a part of it is safe.
      const isSafe = next.rate === ceiling || now.before !== undefined;
      change(isSafe ? next.rate : now.perSecond * Math.sqrt(next.step));
      now.before = undefined;
      startTrial();
    }
  };

  const watch = (refused: boolean): void => {
    now.pause = Math.max(0, now.pause - 1);
    now.recent = [...now.recent.slice(1 - RECENT_CALLS), refused];
    now.evidence = Math.max(0, now.evidence + usual.evidenceOf(refused, CAREFUL_STEP));
    if (now.isProven && now.perSecond < ceiling) {
      usual.learn(1, refused ? 1 : 0);
    }
    if (now.evidence >= EXCEEDED) {
      const refusals = now.recent.filter(Boolean).length;
      if (now.before === undefined) {
        now.isDoubted = now.limit === undefined;
        now.limit = now.perSecond;
        now.step = CAREFUL_STEP;
        payFor(now.recent.length, refusals);
      }
      // A rate that was accepted for a while, or calls that are all refused: this can be a burst of 429s, which says nothing
      // about the limit. A new rate that is refused in part is too high.
      if (now.isProven || now.recent.length === RECENT_CALLS || refusals === now.recent.length) {
        now.before ??= now.perSecond;
      }
      now.isProven = false;
      change(now.perSecond * Math.max(LARGEST_DECREASE, BACK * (1 - refusals / now.recent.length)));
    }
    startTrial();
  };

  const rateNow = (): number => now.trial?.rate ?? now.perSecond;

  const judge = (call: SentAt, refused: boolean): void => {
    const counts = call.period === now.period;
    now.refusedInARow = refused ? now.refusedInARow + (counts ? 1 : 0) : 0;
    if (!counts) {
      if (call.rate > rateNow() && now.before === undefined) {
        payFor(1, refused ? 1 : 0);
      }
    } else if (now.trial === undefined) {
      watch(refused);
    } else {
      judgeTrial(now.trial, call, refused);
    }
  };

  return {
    perSecond: rateNow,
    sent: (isPaced) => ({ rate: rateNow(), period: now.period, isPaced }),
    accepted: (call) => judge(call, false),
    refused: (call) => judge(call, true),
    isRefusedPersistently: () => now.refusedInARow >= PERSISTENT,
    memory: () => ({ perSecond: now.before ?? now.perSecond, limit: now.limit }),
    resume: (memory) => {
      Object.assign(now, startAt(ceiling, memory), { period: now.period });
      change(now.perSecond);
    },
  };
}
