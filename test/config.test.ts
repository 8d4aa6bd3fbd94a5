import { describe, expect, it } from 'vitest';

import { readConfig } from '../shared/config.ts';
import { ConfigError } from '../shared/errors.ts';

const read = (environment: Record<string, string>) =>
  readConfig({ GOOGLE_CLOUD_PROJECT: 'demo-test', ...environment });

describe('RETENTION_DAYS', () => {
  it.each(['1', '7', '30'])(
    'of %s are rejected: a message could arrive after its record was deleted',
    (days) => {
      expect(() => read({ RETENTION_DAYS: days })).toThrow(
        /RETENTION_DAYS must be at least 31, because Pub\/Sub can .* its job would run twice/,
      );
    },
  );

  it('can be 31', () => {
    expect(read({ RETENTION_DAYS: '31' }).retentionDays).toBe(31);
  });
});

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

describe('a Drive destination', () => {
  it.each([
    [undefined, false],
    ['gs://*', false],
    ['gs://bucket/*,drive:*', true],
    ['drive:videos/weekly', true],
    ['*', true],
  ])('is allowed by %s: %s', (ALLOWED_DESTINATIONS, allowsDrive) => {
    expect(readConfig({ GOOGLE_CLOUD_PROJECT: 'my-project', ALLOWED_DESTINATIONS })).toMatchObject({
      allowsDrive,
    });
  });
});
