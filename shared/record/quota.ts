import { HOUR_MS, later, MINUTE_MS } from '../clock.ts';
import type { ProjectStatus } from '../model/project-status.ts';
import { backoffMs, type Moment, type Policy } from './policy.ts';

/** Custom EECU quotas reset at midnight Pacific time (https://cloud.google.com/docs/quotas/overview). */
const pacificTime = new Intl.DateTimeFormat('en-US', {
  timeZone: 'America/Los_Angeles',
  hourCycle: 'h23',
  hour: 'numeric',
  minute: 'numeric',
  second: 'numeric',
});

const pacificDate = new Intl.DateTimeFormat('en-CA', { timeZone: 'America/Los_Angeles' });

/** The period of a monthly quota, such as 2026-11. */
export const pacificMonth = (date: Date): string => pacificDate.format(date).slice(0, '2026-11'.length);

/** Since when a project is in restricted mode: a restriction that was reported in an earlier month is over. */
export function restrictedSince(
  { parallelismRestrictedAt }: Pick<ProjectStatus, 'parallelismRestrictedAt'>,
  now: Date,
): Date | undefined {
  return parallelismRestrictedAt && pacificMonth(parallelismRestrictedAt) === pacificMonth(now)
    ? parallelismRestrictedAt
    : undefined;
}

/** Time for the reset to take effect. Shortly after midnight, a refusal does not yet mean another day of waiting. */
const SETTLING_MS = HOUR_MS;
const MAX_JITTER_MS = 5 * MINUTE_MS;

/**
 * When to try again after Earth Engine reported that a custom quota is used up: at the next midnight Pacific time, which is
 * also when a monthly quota resets. One try a day also notices that a monthly quota was raised. In the hour after midnight,
 * the usual backoff applies.
 */
export function quotaRetryAt(policy: Policy, waits: number, { now, random }: Moment): Date {
  const sinceMidnightMs = pacificMsOfDay(now);
  if (sinceMidnightMs < SETTLING_MS) {
    return later(now, backoffMs(policy, waits, undefined, random));
  }
  // A day has 23 or 25 hours when the clocks change: the guess is corrected by the time of day that it falls on.
  const guess = later(now, 24 * HOUR_MS - sinceMidnightMs);
  const offMs = pacificMsOfDay(guess);
  const midnight = later(guess, offMs > 12 * HOUR_MS ? 24 * HOUR_MS - offMs : -offMs);
  return later(midnight, random * MAX_JITTER_MS);
}

function pacificMsOfDay(date: Date): number {
  const parts = Object.fromEntries(
    pacificTime.formatToParts(date).map(({ type, value }) => [type, Number(value)]),
  );
  const { hour = 0, minute = 0, second = 0 } = parts;
  return ((hour * 60 + minute) * 60 + second) * 1000 + date.getMilliseconds();
}
