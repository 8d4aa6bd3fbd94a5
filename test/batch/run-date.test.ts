import { describe, expect, it } from 'vitest';

import { readDate, runOf, timeOfRun } from '../../shared/batch/run-date.ts';

describe('the name of a run', () => {
  const publishTime = new Date('2026-11-23T14:05:59.999Z');

  it.each([
    ['day', '2026-11-23'],
    ['hour', '2026-11-23-14'],
    ['minute', '2026-11-23-14-05'],
  ] as const)('cut to the %s is %s, from which its time can be read', (interval, run) => {
    expect(runOf(publishTime, interval)).toBe(run);
    expect(run).toMatch(/^[A-Za-z0-9-]{1,32}$/);
    expect(publishTime.getTime() - (timeOfRun(run)?.getTime() ?? 0)).toBeLessThan(86_400_000);
  });

  it.each(['spring', '2026-02-30', '2026-11-23-24', '20261123', '2026-1-1', ''])('%j has no time', (run) => {
    expect(timeOfRun(run)).toBeUndefined();
  });
});

describe('a date', () => {
  it.each([
    ['run', '2026-11-23', '2026-11-23'],
    ['run-P30D', '2026-11-23', '2026-10-24'],
    ['run+P1W', '2026-11-23', '2026-11-30'],
    ['run-P1Y2M', '2026-11-23', '2025-09-23'],
    ['run-P1M', '2026-03-31', '2026-02-28'],
    ['run-P1M', '2028-03-31', '2028-02-29'],
    ['run+P1M', '2026-01-31', '2026-02-28'],
    ['run-P1Y', '2028-02-29', '2027-02-28'],
    ['run-P1M1D', '2026-03-31', '2026-02-27'],
    ['run-PT1H', '2026-11-23', '2026-11-22'],
    ['run-PT14H', '2026-11-23-14', '2026-11-23'],
    ['run-PT15H', '2026-11-23-14', '2026-11-22'],
    ['run-P1DT1M', '2026-11-23', '2026-11-21'],
    ['run+P12M', '2026-12-31', '2027-12-31'],
    ['2020-02-29', 'spring', '2020-02-29'],
  ])('%s of the run %s is %s', (text, run, date) => {
    expect(readDate(text, run)).toEqual({ date });
  });

  it.each([
    'run-P',
    'run-PT',
    'run-P1DT',
    'run-30D',
    'run-P1.5D',
    'run+',
    'run P1D',
    'runs',
    'P1D',
    'yesterday',
    '2026-02-30',
    '2026-13-01',
    'run+P9999Y',
    'run-P3000Y',
    '',
  ])('%j is rejected', (text) => {
    expect(readDate(text, '2026-11-23')).toHaveProperty('malformed');
  });

  it('that counts from a run without a date is unknown, which matters only if it is used', () => {
    expect(readDate('run-P30D', 'spring')).toEqual({ unknown: 'the run "spring" is not a date' });
  });
});
