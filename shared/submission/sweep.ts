import { hash } from 'node:crypto';

import { type Operation, operationStates } from '../earth-engine-api.ts';
import type { Policy } from '../record/policy.ts';
import type { Sweep } from './project-status.ts';

/**
 * What a sweep remembers of each of our operations, so that the next one reads only the records of those that changed:
 * six bytes of the operation name's SHA-256 and one for state and tenth of progress. 10,000 operations take 70 KB. Two
 * names may collide (once in millions of sweeps): then a change is seen by the record's own safety net instead.
 */

const ENTRY_BYTES = 7;

export type Known = Map<number, number>;

export function unpack(packed: Uint8Array): Known {
  const known: Known = new Map();
  const bytes = Buffer.from(packed.buffer, packed.byteOffset, packed.byteLength);
  for (let offset = 0; offset + ENTRY_BYTES <= bytes.length; offset += ENTRY_BYTES) {
    known.set(bytes.readUIntBE(offset, 6), bytes.readUInt8(offset + 6));
  }
  return known;
}

export function pack(known: Known): Uint8Array<ArrayBuffer> {
  const bytes = Buffer.alloc(known.size * ENTRY_BYTES);
  let offset = 0;
  for (const [name, look] of known) {
    bytes.writeUIntBE(name, offset, 6);
    bytes.writeUInt8(look, offset + 6);
    offset += ENTRY_BYTES;
  }
  return bytes;
}

export function nameKey(operation: string): number {
  return hash('sha256', operation, 'buffer').readUIntBE(0, 6);
}

/** What of an operation would be worth a write if it changed: its state and the tenth that its progress is in. */
export function lookOf(operation: Operation): number {
  const states: readonly string[] = operationStates;
  const state = operation.state === undefined ? 6 : Math.max(states.indexOf(operation.state), -1) + 1;
  const tenth = Math.min(10, Math.max(0, Math.floor((operation.progress ?? 0) * 10 + 1e-9)));
  return (operation.done ? 128 : 0) + state * 11 + tenth;
}

/**
 * Whether an operation ended so long before the last complete sweep that the sweep saw its end: by T every operation is
 * listed with its state.
 */
export function endedBefore(operation: Operation, sweep: Sweep | undefined, policy: Policy): boolean {
  return (
    sweep !== undefined &&
    operation.done &&
    operation.endTime !== undefined &&
    operation.endTime.getTime() < sweep.completedAt.getTime() - policy.absenceMs
  );
}

export function sameKnown(left: Known, right: Known): boolean {
  if (left.size !== right.size) {
    return false;
  }
  for (const [name, look] of left) {
    if (right.get(name) !== look) {
      return false;
    }
  }
  return true;
}
