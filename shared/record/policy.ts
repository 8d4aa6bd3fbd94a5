import { DAY_MS, later } from '../clock.ts';
import type { Config } from '../config.ts';

/** The times by which records move. All in milliseconds. */
export interface Policy {
  readonly leaseMs: number;
  readonly retryMinMs: number;
  readonly retryMaxMs: number;
  /**
   * T of the rules: after so long a request on its way has arrived, and an operation is listed. Longer than any lease
   * with its sends, and than any wait between two of them.
   */
  readonly absenceMs: number;
  readonly submitDeadlineMs: number;
  readonly pollMinMs: number;
  readonly pollMaxMs: number;
  readonly stalledMs: number;
  readonly retentionMs: number;
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
  };
}

/** When a transition happens, and the jitter that it may use (0 ≤ x < 1). */
export interface Moment {
  readonly now: Date;
  readonly random: number;
}

/**
 * How long to wait for the `waits`-th time in a row (from 0): doubling from the least to the most, and what EE asked for
 * within the two. Jittered downwards by up to a quarter, so that what failed together does not return together.
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

/** Each look at one that runs comes so much later than the one before: every look is a write. */
const LOOKS_APART = 10;

/**
 * When to ask for an operation by itself. A queued one may sit for hours and every sweep sees it, so its safety net is
 * as wide as it may be; one that runs is looked at more often at first. Jittered, so that a batch does not fall due at once.
 */
export function nextLook(policy: Policy, state: string, inStateSince: Date, moment: Moment): Date {
  const age = moment.now.getTime() - inStateSince.getTime();
  const base =
    state === 'PENDING'
      ? policy.pollMaxMs
      : Math.min(policy.pollMaxMs, Math.max(policy.pollMinMs, LOOKS_APART * age));
  return later(moment.now, Math.max(policy.pollMinMs, base * (1 - moment.random / 4)));
}
