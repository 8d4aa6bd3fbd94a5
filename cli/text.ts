import type { ExportRecord } from '../shared/model/record.ts';
import { fit } from './screen.ts';

/** Records and times as people read them. */

const MINUTE = 60;
const HOUR = 3600;
const DAY = 86_400;

/** `42 s`, `5 min`, `3 h`, `12 d`: one figure tells enough. */
export function duration(ms: number): string {
  const seconds = Math.max(0, Math.round(ms / 1000));
  if (seconds < 2 * MINUTE) {
    return `${seconds} s`;
  }
  if (seconds < 2 * HOUR) {
    return `${Math.round(seconds / MINUTE)} min`;
  }
  if (seconds < 2 * DAY) {
    return `${Math.round(seconds / HOUR)} h`;
  }
  return `${Math.round(seconds / DAY)} d`;
}

export const age = (date: Date, now: Date): string => duration(now.getTime() - date.getTime());

/** In a column: `12s` is one word for whatever takes the lines apart. */
export const ageWord = (date: Date, now: Date): string => age(date, now).replace(' ', '');

/** `2026-11-23 14:05:09` in UTC, as everything in the records is. */
export const time = (date: Date): string => date.toISOString().slice(0, 19).replace('T', ' ');

export const percent = (fraction: number): string => `${Math.floor(fraction * 100)}%`;

/** What a person calls it. */
export const nameOf = (id: string, { jobKey, attempt }: ExportRecord): string =>
  jobKey === undefined ? id : `${jobKey}${attempt > 1 ? ` (attempt ${attempt})` : ''}`;

export function progressOf(record: ExportRecord): number | undefined {
  if (record.state === 'SUCCEEDED') {
    return 1;
  }
  return 'progress' in record ? record.progress : undefined;
}

/** What there is to say beside the state: why it waits, how far it is, what went wrong. */
export function detailOf(record: ExportRecord): string {
  switch (record.state) {
    case 'WAITING':
      return `for ${waitingWords[record.waitingFor]}${record.error ? `: ${record.error.message}` : ''}`;
    case 'RUNNING':
    case 'CANCELLING':
      return record.stage ?? '';
    case 'SUCCEEDED':
      return record.outputUris.join(' ');
    case 'FAILED':
    case 'CANCELLED':
    case 'REJECTED':
    case 'LOST':
      return record.error.message;
    case 'SUBMITTING':
    case 'PENDING':
      return '';
  }
}

export const waitingWords = {
  QUEUE: 'a place in the queue',
  RATE: 'the rate limit',
  SERVICE: 'Earth Engine, which did not answer',
  PERMISSION: 'a permission',
  ADOPTION: 'its operation to be found',
} as const;

/** A line that must not break; a pipe gets all of it. */
export const line = (text: string, columns: number): string =>
  Number.isFinite(columns) ? fit(text, columns) : text.trimEnd();

/** Text of others on one line: a message of EE's, a label. What could steer a terminal is dropped. */
export const printable = (text: string): string => text.replaceAll(/[\p{Cc}\p{Cf}]+/gu, ' ');

/** Columns as wide as their widest cell, but for the last. */
export function columns(rows: readonly (readonly string[])[], width: number): string[] {
  const widths = (rows[0] ?? []).map((_, column) =>
    Math.max(...rows.map((row) => printable(row[column] ?? '').length)),
  );
  return rows.map((row) =>
    line(row.map((cell, column) => printable(cell).padEnd(widths[column] ?? 0)).join('  '), width),
  );
}

export const plural = (count: number, word: string): string => `${count} ${word}${count === 1 ? '' : 's'}`;

/** EECU-seconds in the unit that is billed, where they are enough for it. */
export const eecu = (seconds: number): string =>
  seconds < 360 ? `${seconds.toFixed(1)} EECU-seconds` : `${(seconds / 3600).toFixed(1)} EECU-hours`;
