import { describe, expect, it } from 'vitest';

import { HOUR_MS, MINUTE_MS } from '../../shared/clock.ts';
import {
  boundHours,
  type MonthOptions,
  monthOf,
  playMonth,
  spentHours,
  startedWhileHeld,
  TURNS_AT,
} from './month.ts';

/** MONTH_JOBS=5000 takes minutes, with a poll every half hour. */
const JOBS = Number(process.env['MONTH_JOBS'] ?? 150);
const isLarge = JOBS > 1000;
const options: MonthOptions = {
  seed: 1,
  jobs: JOBS,
  stepMs: isLarge ? 30 * MINUTE_MS : 3 * HOUR_MS,
  runMs: isLarge ? [HOUR_MS, 5 * HOUR_MS] : [6 * HOUR_MS, 24 * HOUR_MS],
};

describe(`three teams with ${JOBS} jobs, over the turn of a month`, { timeout: 900_000 }, async () => {
  const month = await playMonth(options);
  const { records, operations, holds, events, limits } = month;

  it('loses no job, and everything held goes on by itself', () => {
    expect(records).toHaveLength(JOBS);
    expect(operations).toHaveLength(JOBS);
    const ends = Map.groupBy(records, ({ value }) =>
      'error' in value ? `${value.state} ${value.error?.status}` : value.state,
    );
    expect([...ends.keys()].sort()).toEqual(['CANCELLED BUDGET', 'SUCCEEDED']);
    expect(ends.get('CANCELLED BUDGET')?.every(({ value }) => value.labels['team'] === 'fire')).toBe(true);
    const wasHeld = records.filter(({ value }) =>
      value.history.some(({ note = '' }) => note.startsWith('held by the budget')),
    );
    expect(new Set(wasHeld.map(({ value }) => value.labels['team']))).toEqual(new Set(['water', 'fire']));
    expect(wasHeld.length).toBeGreaterThan(JOBS / 20);
  });

  it('is held in both months, and the limit is raised once', () => {
    const periods = (team: string) =>
      holds
        .filter((hold) => hold.team === team)
        .map((hold) => `${hold.month} ${Math.round(hold.limitHours)}`);
    expect(new Set(periods('water')).size).toBeGreaterThanOrEqual(2);
    expect(periods('fire').length).toBeGreaterThanOrEqual(1);
    expect(periods('land')).toEqual([]);
  });

  it('counts jobs in flight at the turn in the new month, and its figures are what the records say', () => {
    expect(operations.some(({ createdAt, endedAt }) => createdAt < TURNS_AT && endedAt > TURNS_AT)).toBe(
      true,
    );
    const land = month.atTurn.find(({ team }) => team === 'land');
    expect(land?.month).toBe('2027-01');
    expect(land?.hours).toBeGreaterThan(0);
    expect(month.atEnd).toHaveLength(3);
    for (const { team, month: period, hours } of month.atEnd) {
      expect(hours).toBeCloseTo(spentHours(month, team, period), 6);
    }
  });

  it('starts nothing while a budget holds', () => {
    expect(startedWhileHeld(month)).toBe(0);
  });

  it('exceeds no limit by more than what was at Earth Engine when it was used up', () => {
    let bounds = 0;
    for (const hold of holds) {
      const limit = limits.get(`${hold.team} ${hold.month}`) ?? 0;
      if (hold.limitHours !== limit) {
        continue;
      }
      const bound = boundHours(month, hold);
      const spent = spentHours(month, hold.team, hold.month);
      expect(spent, `${hold.team} ${hold.month}`).toBeLessThanOrEqual(limit + bound);
      if (isLarge) {
        const figures = [limit, spent, limit + bound].map((figure) => figure.toFixed(0));
        console.log(`${hold.team} ${hold.month}: limit, spent, and bound ${figures.join(', ')} EECU-hours`);
      }
      // Otherwise, it says nothing.
      expect(bound).toBeLessThan(limit / 2);
      bounds += 1;
    }
    expect(bounds).toBeGreaterThanOrEqual(2);
  });

  it('reports each threshold once, and none that was not reached', () => {
    expect(new Set(events.map(({ id }) => id)).size).toBe(events.length);
    for (const { event } of events) {
      expect(event.spentEecuSeconds / 3600).toBeGreaterThanOrEqual(
        (event.limitEecuHours * event.percent) / 100,
      );
    }
    const told = new Set(
      events.map(
        ({ event: { budgetId, period, percent, limitEecuHours } }) =>
          `${budgetId} ${period} ${percent} ${limitEecuHours}`,
      ),
    );
    for (const [key, limit] of limits) {
      const [team, period] = key.split(' ') as ['water' | 'fire' | 'land', string];
      for (const percent of [50, 80, 100]) {
        if (spentHours(month, team, period) > (limit * percent) / 100) {
          expect(told).toContain(`${team} ${period} ${percent} ${limit}`);
        }
      }
    }
    expect(monthOf(new Date(events[0]?.event.at ?? 0))).toBe('2026-12');
  });
});
