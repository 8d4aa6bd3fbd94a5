import { DAY_MS, later, MINUTE_MS } from '../clock.ts';
import type { Config } from '../config.ts';

/** The durations that govern records, in milliseconds. */
export interface Policy {
  readonly leaseMs: number;
  readonly retryMinMs: number;
  readonly retryMaxMs: number;
  /**
   * T in the rules: after this long, a request has arrived or never will, and an operation is in the list. Longer than
   * any lease including its sends, and than any wait between two leases.
   */
  readonly absenceMs: number;
  readonly submitDeadlineMs: number;
  readonly pollMinMs: number;
  readonly pollMaxMs: number;
  readonly stalledMs: number;
  readonly retentionMs: number;
  /** Whether videos are looked for in Cloud Storage. */
  readonly verifyDelivery: boolean;
  /** How long a video may take to appear. */
  readonly deliveryWaitMs: number;
}

export function policyOf(config: Config): Policy {
  return {
    leaseMs: config.submitLeaseMs,
    retryMinMs: config.retryMinMs,
    retryMaxMs: config.retryMaxMs,
    absenceMs: Math.max(config.retryMaxMs, config.submitLeaseMs + 2 * config.submitTimeoutMs),
    submitDeadlineMs: config.submitDeadlineMs,
    pollMinMs: config.pollMinMs,
    pollMaxMs: config.pollMaxMs,
    stalledMs: config.stalledMs,
    retentionMs: config.retentionDays * DAY_MS,
    verifyDelivery: config.verifyDelivery,
    deliveryWaitMs: config.deliveryWaitMs,
  };
}

/** The time of a transition, and the jitter that it may use (0 ≤ x < 1). */
export interface Moment {
  readonly now: Date;
  readonly random: number;
}

/**
 * How long the `waits`-th wait in a row takes (from 0): doubling from the minimum to the maximum, or what Earth Engine
 * asked for, within both. Jitter takes off up to a quarter, so that records that failed together do not retry together.
 */
export function backoffMs(
  policy: Policy,
  waits: number,
  retryAfterMs: number | undefined,
  random: number,
): number {
  const doubled = Math.min(policy.retryMaxMs, policy.retryMinMs * 2 ** Math.min(waits, 30));
  if (retryAfterMs !== undefined) {
    return Math.min(policy.retryMaxMs, Math.max(policy.retryMinMs, retryAfterMs));
  }
  return Math.max(policy.retryMinMs, doubled * (1 - random / 4));
}

/** Every check is a write, so the next one comes after this many times the operation's age in its state. */
const AGE_FACTOR = 10;

/**
 * When to request an operation individually. A queued operation may wait for hours and every sweep sees it, so it is
 * checked as rarely as allowed; a running one is checked more often at first. Jitter keeps a batch from falling due all
 * at once.
 */
export function nextCheck(policy: Policy, state: string, inStateSince: Date, moment: Moment): Date {
  const age = moment.now.getTime() - inStateSince.getTime();
  const base =
    state === 'PENDING'
      ? policy.pollMaxMs
      : Math.min(policy.pollMaxMs, Math.max(policy.pollMinMs, AGE_FACTOR * age));
  return later(moment.now, Math.max(policy.pollMinMs, base * (1 - moment.random / 4)));
}

/**
 * When the poller checks whether a cancellation has reached Earth Engine, and otherwise repeats it. The process that
 * should ask Earth Engine can die before it does. Late enough that cancelExports has finished with it by then, so that
 * Earth Engine is not asked twice.
 */
const CANCELLATION_CHECK_MS = 10 * MINUTE_MS;

/** The due time of an operation whose cancellation was requested, and which does not show it yet. */
export function untilCanceled(dueAt: Date, now: Date): Date {
  const check = later(now, CANCELLATION_CHECK_MS);
  return dueAt < check ? dueAt : check;
}
