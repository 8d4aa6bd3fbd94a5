/** Numbers and times as people read them. */

const HOUR = 3600;

export { duration } from '../shared/text.ts';

export const count = (value: number): string => value.toLocaleString('en');

export const percent = (fraction: number): string =>
  fraction > 0 && fraction < 0.01 ? '<1%' : `${Math.floor(fraction * 100)}%`;

/** EECU-hours, with as many digits as matter. */
export function eecuHours(seconds: number): string {
  const hours = seconds / HOUR;
  if (hours > 0 && hours < 0.01) {
    return '< 0.01';
  }
  return hours >= 100 || hours === 0 ? count(Math.round(hours)) : hours.toFixed(hours < 10 ? 2 : 1);
}

const short = {
  month: 'short',
  day: 'numeric',
  hour: '2-digit',
  minute: '2-digit',
  hourCycle: 'h23',
} as const;

/** In the zone of the viewer, or in UTC where that is not known: on the server, and before scripts run. */
export function dateTime(iso: string, local: boolean, seconds = false): string {
  const text = new Date(iso).toLocaleString('en-US', {
    ...short,
    ...(seconds ? { second: '2-digit' } : {}),
    ...(local ? {} : { timeZone: 'UTC' }),
  });
  return local ? text : `${text} UTC`;
}

/** To the millisecond, with the zone: for tooltips. */
export function exactTime(iso: string, local: boolean): string {
  if (!local) {
    return iso;
  }
  const text = new Date(iso).toLocaleString('en-US', {
    dateStyle: 'full',
    timeStyle: 'long',
    hourCycle: 'h23',
  });
  return `${text} (${iso})`;
}
