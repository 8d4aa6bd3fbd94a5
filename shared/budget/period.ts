import { DAY_MS } from '../clock.ts';
import type { Budget } from '../model/budget.ts';

/** The time over which a budget counts. */
export interface Period {
  /** `2026-11`, or `TOTAL`. */
  readonly name: string;
  /** Absent for `TOTAL`. */
  readonly startsAt?: Date;
  readonly endsAt?: Date;
}

/** Longer than any month, and shorter than two. */
const INTO_NEXT_MONTH_MS = 40 * DAY_MS;

/** The budget's period that contains `now`: a calendar month begins at midnight in the budget's time zone. */
export function periodOf(
  { period, timeZone = 'UTC' }: Pick<Budget, 'period' | 'timeZone'>,
  now: Date,
): Period {
  if (period === 'TOTAL') {
    return { name: 'TOTAL' };
  }
  const { year, month } = localTime(now, timeZone);
  const startsAt = monthStart(year, month, timeZone);
  const next = localTime(new Date(startsAt.getTime() + INTO_NEXT_MONTH_MS), timeZone);
  return {
    name: `${year}-${String(month).padStart(2, '0')}`,
    startsAt,
    endsAt: monthStart(next.year, next.month, timeZone),
  };
}

/** Midnight in the time zone, found by its offset from UTC; the clocks may change between the guess and midnight. */
function monthStart(year: number, month: number, timeZone: string): Date {
  const wanted = Date.UTC(year, month - 1, 1);
  const guess = wanted - offsetMs(new Date(wanted), timeZone);
  return new Date(wanted - offsetMs(new Date(guess), timeZone));
}

function offsetMs(date: Date, timeZone: string): number {
  const { year, month, day, hour, minute, second } = localTime(date, timeZone);
  return Date.UTC(year, month - 1, day, hour, minute, second) - date.getTime();
}

const formats = new Map<string, Intl.DateTimeFormat>();

function localTime(date: Date, timeZone: string) {
  const format =
    formats.get(timeZone) ??
    new Intl.DateTimeFormat('en-US', {
      timeZone,
      calendar: 'gregory',
      hourCycle: 'h23',
      year: 'numeric',
      month: 'numeric',
      day: 'numeric',
      hour: 'numeric',
      minute: 'numeric',
      second: 'numeric',
    });
  formats.set(timeZone, format);
  const parts = Object.fromEntries(
    format.formatToParts(date).map(({ type, value }) => [type, Number(value)]),
  );
  const { year = 0, month = 1, day = 1, hour = 0, minute = 0, second = 0 } = parts;
  return { year, month, day, hour, minute, second };
}
