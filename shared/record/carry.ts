import { truncate } from '../text.ts';
import { commonFields, type ExportRecord, protocolFields, type RecordInSubmission } from '../model/record.ts';

/** A longer history has lost its middle. */
export const MAX_HISTORY = 50;

/** The named fields of a value, those that it does not have included. */
export const pick = <T extends object, Field extends keyof T>(
  value: T,
  fields: readonly Field[],
): Pick<T, Field> => Object.fromEntries(fields.map((field) => [field, value[field]])) as Pick<T, Field>;

/** The fields that every state has, with `revision` raised, and with a history entry if one is given. */
export function carry(record: ExportRecord, now: Date, entry?: { state: string; note?: string | undefined }) {
  return {
    ...pick(record, commonFields),
    // Only a job that was canceled before its message arrived lacks these three, and its record is final.
    contentHash: record.contentHash ?? '',
    description: record.description ?? '',
    destination: record.destination ?? '',
    revision: record.revision + 1,
    updatedAt: now,
    history: entry ? grow(record.history, { ...entry, at: now }) : record.history,
  };
}

/** The fields that last from one claim or wait to the next. */
export const carryProtocol = (record: RecordInSubmission) => pick(record, protocolFields);

type History = ExportRecord['history'];

/** Appends an entry. A long history loses its middle: the beginning shows the job's origin. */
export function grow(history: History, entry: History[number]): History {
  const grown = [...history, entry];
  return grown.length <= MAX_HISTORY ? grown : [...grown.slice(0, 5), ...grown.slice(-(MAX_HISTORY - 5))];
}

/** A history note, which must stay small: it quotes Earth Engine. */
export const shortNote = (text: string): string => truncate(text, 200);
