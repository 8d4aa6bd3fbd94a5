import { describe, expect, it } from 'vitest';

import { later, MINUTE_MS, SECOND_MS } from '../../shared/clock.ts';
import { readConfig } from '../../shared/config.ts';
import { backoffMs, nextCheck, policyOf } from '../../shared/record/policy.ts';
import { policy, start } from './samples.ts';

const policyWith = (settings: Record<string, string>) =>
  policyOf(readConfig({ GOOGLE_CLOUD_PROJECT: 'demo-ee', ...settings }));

describe('T', () => {
  it('is the longest wait if that is longer than a lease with its sends', () => {
    expect(policy.absenceMs).toBe(15 * MINUTE_MS);
  });

  it('is a lease and twice the time for its sends if the longest wait is shorter', () => {
    const { absenceMs } = policyWith({
      RETRY_MAX_SECONDS: '60',
      SUBMIT_LEASE_SECONDS: '300',
      SUBMIT_TIMEOUT_SECONDS: '90',
    });
    expect(absenceMs).toBe((300 + 2 * 90) * SECOND_MS);
  });
});

describe('a wait', () => {
  it.each([
    [0, 30],
    [1, 60],
    [4, 480],
    [5, 900],
    [1000, 900],
  ])('after %i others takes %i s, doubling up to RETRY_MAX_SECONDS', (waits, seconds) => {
    expect(backoffMs(policy, waits, undefined, 0)).toBe(seconds * SECOND_MS);
  });

  it.each([
    [0, 30],
    [45, 45],
    [86_400, 900],
  ])('of Retry-After %i s takes %i s, within the range of waits', (retryAfter, seconds) => {
    expect(backoffMs(policy, 3, retryAfter * SECOND_MS, 0.9)).toBe(seconds * SECOND_MS);
  });

  it('is shorter by up to a quarter, but never shorter than RETRY_MIN_SECONDS', () => {
    expect(backoffMs(policy, 5, undefined, 0.8)).toBe(720 * SECOND_MS);
    expect(backoffMs(policy, 0, undefined, 0.8)).toBe(30 * SECOND_MS);
  });
});

describe('the next check of an operation', () => {
  const checkAfter = (state: string, ageMs: number) =>
    nextCheck(policy, state, later(start, -ageMs), { now: start, random: 0 }).getTime() - start.getTime();

  it('takes as long as possible while it is queued', () => {
    expect(checkAfter('PENDING', 0)).toBe(policy.pollMaxMs);
  });

  it('comes later the longer it has run, within the range of checks', () => {
    expect(checkAfter('RUNNING', 0)).toBe(policy.pollMinMs);
    expect(checkAfter('RUNNING', 2 * MINUTE_MS)).toBe(20 * MINUTE_MS);
    expect(checkAfter('RUNNING', 60 * MINUTE_MS)).toBe(policy.pollMaxMs);
  });
});
