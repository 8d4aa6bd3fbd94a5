import { ServiceError } from '../errors.ts';
import { truncate } from '../text.ts';
import type { Fields } from './fields.ts';

/**
 * What Firestore accepts as a document. A write that it does not accept never succeeds, so the message that led to it would
 * be redelivered until it expires.
 * Source: https://firebase.google.com/docs/firestore/quotas#collections_documents_and_fields
 */

const ID_BYTES = 1500;
const NAME_BYTES = 1500;
const DOCUMENT_BYTES = 1024 * 1024;

/** A Timestamp's range, the years 1 to 9999: https://protobuf.dev/reference/protobuf/google.protobuf/#timestamp */
const FIRST_MS = Date.parse('0001-01-01T00:00:00.000Z');
const LAST_MS = Date.parse('9999-12-31T23:59:59.999Z');

/** Firestore reserves names of the form `__x__`. */
export const isReserved = (name: string): boolean => /^__.*__$/s.test(name);

export function isDocumentId(text: string): boolean {
  return (
    text !== '' &&
    text !== '.' &&
    text !== '..' &&
    !text.includes('/') &&
    !isReserved(text) &&
    text.isWellFormed() &&
    Buffer.byteLength(text) <= ID_BYTES
  );
}

/** @throws ServiceError STORE_FAILED, like every other failure of a store */
export function requireDocumentId(path: string, id: string): void {
  if (isDocumentId(id)) {
    return;
  }
  const shown = JSON.stringify(truncate(id, 100));
  throw new ServiceError('STORE_FAILED', `${shown} is not a valid document id (${path})`);
}

export function isTimestamp(date: Date): boolean {
  const ms = date.getTime();
  return ms >= FIRST_MS && ms <= LAST_MS;
}

/** Why Firestore would not accept a document; undefined if it would. Sizes are approximate. */
export function documentProblem(id: string, fields: Fields): string | undefined {
  if (!isDocumentId(id)) {
    return 'the id is not a valid document id';
  }
  let bytes = 0;
  let problem: string | undefined;

  const measure = (value: unknown): void => {
    if (typeof value === 'string') {
      if (!value.isWellFormed()) {
        problem ??= 'it has text with half a surrogate pair';
      }
      bytes += Buffer.byteLength(value) + 1;
    } else if (value instanceof Date) {
      if (!isTimestamp(value)) {
        problem ??= 'it has a time outside the years 1 to 9999';
      }
      bytes += 8;
    } else if (value instanceof Uint8Array) {
      bytes += value.length;
    } else if (Array.isArray(value)) {
      for (const item of value) {
        measure(item);
      }
    } else if (typeof value === 'object' && value !== null) {
      measureFields(value as Fields);
    } else {
      bytes += 8;
    }
  };
  const measureFields = (map: Fields): void => {
    for (const [name, value] of Object.entries(map)) {
      if (value === undefined) {
        continue;
      }
      const length = Buffer.byteLength(name);
      if (name === '' || isReserved(name) || length > NAME_BYTES || !name.isWellFormed()) {
        problem ??= 'it has a field whose name is not valid';
      }
      bytes += length + 1;
      measure(value);
    }
  };

  measureFields(fields);
  return (
    problem ?? (bytes > DOCUMENT_BYTES ? `it has ${bytes} bytes; the limit is ${DOCUMENT_BYTES}` : undefined)
  );
}
