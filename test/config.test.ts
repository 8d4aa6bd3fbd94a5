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

describe('a setting that is not safe', () => {
  it.each<[Record<string, string>, RegExp]>([
    [{ SUBMIT_TIMEOUT_SECONDS: '120' }, /SUBMIT_TIMEOUT_SECONDS must be less than SUBMIT_LEASE_SECONDS/],
    [{ SUBMIT_LEASE_SECONDS: '60' }, /SUBMIT_TIMEOUT_SECONDS must be less than SUBMIT_LEASE_SECONDS/],
    [{ RETRY_MIN_SECONDS: '901' }, /RETRY_MIN_SECONDS must be at most RETRY_MAX_SECONDS/],
    [{ POLL_MIN_SECONDS: '3601' }, /POLL_MIN_SECONDS must be at most POLL_MAX_SECONDS/],
    [
      { EARTHENGINE_API_URL: 'http://proxy.example.com' },
      /must be an https address \(http only on loopback\)/,
    ],
    [{ EARTHENGINE_API_URL: 'http://127.0.0.1.example.com' }, /must be an https address/],
    [{ EARTHENGINE_API_URL: 'ftp://localhost' }, /must be an https address/],
    [{ ALLOWED_PROJECTS: 'team-*-a' }, /ALLOWED_PROJECTS must be .* \* only at the end/],
    [{ ALLOWED_DESTINATIONS: 'gs://*/videos' }, /ALLOWED_DESTINATIONS must be .* \* only at the end/],
    [{ ALLOWED_DESTINATIONS: 'gs://a/*,,gs://b/*' }, /ALLOWED_DESTINATIONS must be comma-separated/],
  ])('is rejected: %j', (environment, message) => {
    expect(() => read(environment)).toThrow(ConfigError);
    expect(() => read(environment)).toThrow(message);
  });

  it.each([
    { SUBMIT_TIMEOUT_SECONDS: '119.9' },
    { RETRY_MIN_SECONDS: '900' },
    { POLL_MIN_SECONDS: '3600' },
    { EARTHENGINE_API_URL: 'http://localhost:8080' },
    { EARTHENGINE_API_URL: 'http://[::1]:8080' },
    { ALLOWED_PROJECTS: 'team-*,my-project' },
  ])('is not %j', (environment) => {
    expect(() => read(environment)).not.toThrow();
  });
});

describe('a variable', () => {
  it('that is empty is not set', () => {
    expect(read({ RETENTION_DAYS: '', EARTHENGINE_EMULATOR_HOST: '' })).toMatchObject({
      retentionDays: 90,
      earthEngineCredentials: true,
    });
  });

  it('that is missing is named', () => {
    expect(() => readConfig({})).toThrow(/GOOGLE_CLOUD_PROJECT is not set/);
    expect(() => readConfig({})).toThrow(expect.objectContaining({ missing: ['GOOGLE_CLOUD_PROJECT'] }));
  });

  it('whose default does not fit another one is not missing', () => {
    expect(() => read({ SUBMIT_LEASE_SECONDS: '60' })).toThrow(expect.objectContaining({ missing: [] }));
  });

  it.each(['MAX_ACTIVE_OPERATIONS', 'EARTHENGINE_REQUESTS_PER_SECOND'])('cannot be zero: %s', (name) => {
    expect(() => read({ [name]: '0' })).toThrow(`${name} must be at least 1`);
  });
});

describe('deliveries', () => {
  it.each<[boolean, Record<string, string>]>([
    [true, {}],
    [false, { VERIFY_DELIVERY: 'off' }],
    [false, { EARTHENGINE_EMULATOR_HOST: 'localhost:1' }],
    [false, { FIRESTORE_EMULATOR_HOST: 'localhost:1' }],
    [false, { PUBSUB_EMULATOR_HOST: 'localhost:1' }],
    [false, { EARTHENGINE_API_URL: 'http://127.0.0.1:1' }],
    [true, { EARTHENGINE_EMULATOR_HOST: 'localhost:1', STORAGE_EMULATOR_HOST: 'http://localhost:2' }],
    [false, { VERIFY_DELIVERY: 'off', STORAGE_EMULATOR_HOST: 'http://localhost:2' }],
  ])('are verified, but a local stack does not look into real buckets: %s for %j', (verifyDelivery, set) => {
    expect(read(set)).toMatchObject({ verifyDelivery });
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
