import { describe, expect, it } from 'vitest';

import { readConfig } from '../shared/config.ts';
import { ConfigError } from '../shared/errors.ts';

const read = (environment: Record<string, string>) =>
  readConfig({ GOOGLE_CLOUD_PROJECT: 'demo-test', ...environment });

describe('a duration', () => {
  it.each([
    'SUBMIT_LEASE_SECONDS',
    'SUBMIT_TIMEOUT_SECONDS',
    'RETRY_MIN_SECONDS',
    'RETRY_MAX_SECONDS',
    'STALLED_HOURS',
    'SUBMIT_DEADLINE_HOURS',
    'POLL_MIN_SECONDS',
    'POLL_MAX_SECONDS',
    'POLL_BUDGET_SECONDS',
  ])('cannot be zero: %s=0', (name) => {
    expect(() => read({ [name]: '0' })).toThrow(ConfigError);
    expect(() => read({ [name]: '0' })).toThrow(new RegExp(`${name} must be more than 0`));
  });

  it('can be a fraction', () => {
    expect(read({ STALLED_HOURS: '0.5' }).stalledMs).toBe(1_800_000);
  });
});
