import type { ExportRecord, RecordIn } from '../shared/model/record.ts';
import { duration } from '../shared/text.ts';

export { duration };

/** Records, times and amounts as people read them. */

export const age = (date: Date, now: Date): string => duration(now.getTime() - date.getTime());

/** For a column: without the space, so that other programs can split lines at spaces. */
export const ageWord = (date: Date, now: Date): string => age(date, now).replace(' ', '');

/** `2026-11-23 14:05:09`, in UTC like every time in a record. */
export const time = (date: Date): string => date.toISOString().slice(0, 19).replace('T', ' ');

export const percent = (fraction: number): string => `${Math.floor(fraction * 100)}%`;

/** The job key if there is one, or else the record id. */
export const nameOf = (id: string, { jobKey, attempt }: ExportRecord): string =>
  jobKey === undefined ? id : `${jobKey}${attempt > 1 ? ` (attempt ${attempt})` : ''}`;

export function progressOf(record: ExportRecord): number | undefined {
  if (record.state === 'SUCCEEDED') {
    return 1;
  }
  return 'progress' in record ? record.progress : undefined;
}

/** What explains the state: why the job waits, what Earth Engine is doing, what went wrong. */
export function detailOf(record: ExportRecord): string {
  switch (record.state) {
    case 'WAITING':
      return `for ${waitingWords[record.waitingFor]}${record.error ? `: ${record.error.message}` : ''}`;
    case 'RUNNING':
    case 'CANCELLING':
      return record.stage ?? '';
    case 'SUCCEEDED':
      return videoOf(record);
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

/** Where the video is, or what is wrong with it. */
function videoOf({ delivery, outputUris }: RecordIn<'SUCCEEDED'>): string {
  const [problem] = delivery?.problems ?? [];
  switch (delivery?.state) {
    case 'SUSPECT':
    case 'MISSING':
    case 'AMBIGUOUS':
      return `video ${delivery.state}: ${problem?.message ?? ''}`;
    case 'VERIFIED':
    case 'PENDING':
    case 'UNCHECKED':
    case undefined:
      return outputUris.join(' ');
  }
}

/** What a job waits for, after "for". */
export const waitingWords = {
  QUEUE: "capacity in Earth Engine's queue",
  RATE: "Earth Engine's rate limit",
  QUOTA: "the reset of the project's EECU quota",
  SERVICE: 'Earth Engine, which did not respond',
  PERMISSION: 'a permission',
  BUDGET: 'a budget',
  ADOPTION: 'the search for its operation',
} as const;

/** Text from outside on one line, such as a message of Earth Engine or a label. Drops what could control a terminal. */
export const printable = (text: string): string => text.replaceAll(/[\p{Cc}\p{Cf}]+/gu, ' ');

export const plural = (count: number, word: string): string => `${count} ${word}${count === 1 ? '' : 's'}`;

/** EECU-seconds, or EECU-hours (the unit that is billed) from a tenth of one. */
export const eecu = (seconds: number): string =>
  seconds < 360 ? `${seconds.toFixed(1)} EECU-seconds` : `${(seconds / 3600).toFixed(1)} EECU-hours`;
