import { Timestamp } from '@google-cloud/firestore';

import type { Fields } from '../fields.ts';

/** Firestore's own types as plain ones, in place: no other code holds what the client returned. */
export function fromFirestore(data: Record<string, unknown>): Fields {
  for (const [name, value] of Object.entries(data)) {
    data[name] = plainValue(value);
  }
  return data;
}

function plainValue(value: unknown): unknown {
  if (typeof value !== 'object' || value === null) {
    return value;
  }
  if (value instanceof Timestamp) {
    return value.toDate();
  }
  if (value instanceof Uint8Array) {
    return new Uint8Array(value.buffer, value.byteOffset, value.length);
  }
  if (Array.isArray(value)) {
    return value.map(plainValue);
  }
  return Object.getPrototypeOf(value) === Object.prototype
    ? fromFirestore(value as Record<string, unknown>)
    : value;
}
