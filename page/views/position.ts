import { isDocumentId, isTimestamp } from '../../shared/store/limits.ts';

/** A position in a list, for an address: the time by which the list is sorted, and the id of a document. */

export function encodePosition(cursor: readonly unknown[]): string | undefined {
  const [time, id] = cursor;
  return time instanceof Date ? `${time.getTime()}.${String(id)}` : undefined;
}

/** A position that no document can have starts the list at its beginning: the database would refuse it. */
export function decodePosition(text: string | undefined): readonly unknown[] | undefined {
  const [, ms, id] = /^(\d{1,15})\.(.+)$/s.exec(text ?? '') ?? [];
  const time = new Date(Number(ms));
  return id !== undefined && isTimestamp(time) && isDocumentId(id) ? [time, id] : undefined;
}
