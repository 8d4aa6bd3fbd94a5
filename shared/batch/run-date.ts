import { DAY_MS, HOUR_MS, MINUTE_MS, SECOND_MS } from '../clock.ts';

/** The name of a run, and the dates that a manifest counts from it. All in UTC. */

export const runIntervals = ['day', 'hour', 'minute'] as const;
export type RunInterval = (typeof runIntervals)[number];

const characters: Readonly<Record<RunInterval, number>> = { day: 10, hour: 13, minute: 16 };

/** `2026-11-23`, `2026-11-23-14` or `2026-11-23-14-05`: a redelivered message has the same publish time, so the same run. */
export function runOf(publishTime: Date, interval: RunInterval): string {
  return publishTime.toISOString().slice(0, characters[interval]).replaceAll(/[T:]/g, '-');
}

const runPattern = /^(\d{4}-\d{2}-\d{2})(?:[T-]([01]\d|2[0-3])(?:-?([0-5]\d))?)?$/;

/** The time of a run, if its name is a date in one of the forms above. */
export function timeOfRun(run: string): Date | undefined {
  const [, day, hour = '00', minute = '00'] = runPattern.exec(run) ?? [];
  return day === undefined ? undefined : timeOf(`${day}T${hour}:${minute}:00.000Z`);
}

/** Compared with its own text, since JavaScript reads the 31st of a shorter month as the first of the next. */
function timeOf(iso: string): Date | undefined {
  const time = new Date(iso);
  return !Number.isNaN(time.getTime()) && time.toISOString() === iso ? time : undefined;
}

interface Duration {
  readonly months: number;
  readonly ms: number;
}

const durationPattern =
  /^P(?=[\dT])(?:(\d{1,5})Y)?(?:(\d{1,5})M)?(?:(\d{1,5})W)?(?:(\d{1,7})D)?(?:T(?=\d)(?:(\d{1,7})H)?(?:(\d{1,7})M)?(?:(\d{1,7})S)?)?$/;

/** An ISO 8601 duration in whole numbers, such as `P30D`, `P1Y2M` or `PT12H`. */
function readDuration(text: string): Duration | undefined {
  const match = durationPattern.exec(text);
  if (!match) {
    return undefined;
  }
  const [years = 0, months = 0, weeks = 0, days = 0, hours = 0, minutes = 0, seconds = 0] = match
    .slice(1)
    .map((digits: string | undefined) => Number(digits ?? 0));
  return {
    months: years * 12 + months,
    ms: (weeks * 7 + days) * DAY_MS + hours * HOUR_MS + minutes * MINUTE_MS + seconds * SECOND_MS,
  };
}

/** Adds years and months first, up to the last day of a shorter month (31 March − P1M = 28 or 29 February). */
function add(time: Date, { months, ms }: Duration, sign: 1 | -1): Date {
  const moved = new Date(time);
  moved.setUTCDate(1);
  moved.setUTCMonth(moved.getUTCMonth() + sign * months);
  const lastDay = new Date(Date.UTC(moved.getUTCFullYear(), moved.getUTCMonth() + 1, 0)).getUTCDate();
  moved.setUTCDate(Math.min(time.getUTCDate(), lastDay));
  return new Date(moved.getTime() + sign * ms);
}

/** A date of the manifest as `YYYY-MM-DD`, or the reason why there is none. */
export type DateReading =
  | { readonly date: string }
  /** It does not have the form of a date. */
  | { readonly malformed: string }
  /** It counts from a run that is not a date: an error only if it is used. */
  | { readonly unknown: string };

export const dateRule = 'YYYY-MM-DD, or run, run-P30D, run+P1M … (run and an ISO 8601 duration)';

export function readDate(text: string, run: string): DateReading {
  if (/^\d{4}-\d{2}-\d{2}$/.test(text)) {
    return timeOf(`${text}T00:00:00.000Z`) ? { date: text } : { malformed: 'is not a day of the calendar' };
  }
  const [, sign, amount] = /^run(?:([+-])(P.+))?$/.exec(text) ?? [];
  const duration = amount === undefined ? { months: 0, ms: 0 } : readDuration(amount);
  if (!duration || !text.startsWith('run') || (amount === undefined && text !== 'run')) {
    return { malformed: 'is not a date' };
  }
  const start = timeOfRun(run);
  if (!start) {
    return { unknown: `the run "${run}" is not a date` };
  }
  const date = add(start, duration, sign === '-' ? -1 : 1);
  const year = date.getUTCFullYear();
  return year >= 1 && year <= 9999
    ? { date: date.toISOString().slice(0, 10) }
    : { malformed: 'is not within the years 1 to 9999' };
}
