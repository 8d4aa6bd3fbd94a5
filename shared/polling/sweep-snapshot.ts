import { hash } from 'node:crypto';

import { type Operation, operationStates } from '../earth-engine/api.ts';
import type { Policy } from '../record/policy.ts';
import type { Sweep } from '../model/project-status.ts';

/**
 * What a sweep remembers about each of our operations, so that the next one reads only the records of those that
 * changed: six bytes of the operation name's SHA-256, and two for the recorded state. 10,000 operations take 80 KB. Two
 * names may collide (once in millions of sweeps): then the record's own safety net detects a change instead.
 */
export type SweepSnapshot = Map<number, SnapshotEntry>;

/**
 * State and progress in 13 bits: the recorded progress in hundredths, Earth Engine's state, whether it is done, whether a
 * record follows it, and whether that is only assumed. A record follows one operation; a duplicate, or an operation of another deployment, has
 * no record.
 */
type SnapshotEntry = number;

const ENTRY_BYTES = 8;
const STATE = 128;
const DONE = STATE * 8;
const FOLLOWED = DONE * 2;
const ASSUMED = FOLLOWED * 2;

export function unpack(packed: Uint8Array): SweepSnapshot {
  const known: SweepSnapshot = new Map();
  const bytes = Buffer.from(packed.buffer, packed.byteOffset, packed.byteLength);
  for (let offset = 0; offset + ENTRY_BYTES <= bytes.length; offset += ENTRY_BYTES) {
    known.set(bytes.readUIntBE(offset, 6), bytes.readUInt16BE(offset + 6));
  }
  return known;
}

export function pack(known: SweepSnapshot): Uint8Array<ArrayBuffer> {
  const bytes = Buffer.alloc(known.size * ENTRY_BYTES);
  let offset = 0;
  for (const [key, entry] of known) {
    bytes.writeUIntBE(key, offset, 6);
    bytes.writeUInt16BE(entry, offset + 6);
    offset += ENTRY_BYTES;
  }
  return bytes;
}

export function nameKey(operation: string): number {
  return hash('sha256', operation, 'buffer').readUIntBE(0, 6);
}

/** @param recorded the progress in its record; undefined if no record follows it */
export function snapshotEntry(
  operation: Operation,
  recorded: { progress: number | undefined } | undefined,
): SnapshotEntry {
  const hundredths = Math.ceil((recorded?.progress ?? 0) * 100 - 1e-6);
  return stateOf(operation) + (recorded ? FOLLOWED : 0) + hundredths;
}

/** A queued operation that a record is assumed to follow, because there are as many as active records. */
export const assumedEntry = (operation: Operation): SnapshotEntry =>
  snapshotEntry(operation, { progress: 0 }) + ASSUMED;

export const isAssumed = (entry: SnapshotEntry): boolean => entry >= ASSUMED;

/** Whether an operation's record must be read: its state is new, or progress moved by a tenth since it was recorded. */
export function hasChanged(operation: Operation, entry: SnapshotEntry | undefined): boolean {
  if (entry === undefined || stateOf(operation) !== Math.floor((entry % FOLLOWED) / STATE) * STATE) {
    return true;
  }
  if (operation.progress === undefined || !isFollowed(entry)) {
    return false;
  }
  const hundredths = Math.floor(operation.progress * 100 + 1e-6);
  return Math.abs(hundredths - (entry % STATE)) >= 10;
}

function stateOf({ state, done }: Operation): number {
  const states: readonly string[] = operationStates;
  const index = state === undefined ? states.length + 1 : states.indexOf(state) + 1;
  return (done ? DONE : 0) + index * STATE;
}

/** Whether it was the operation of an active record. */
export function isFollowed(entry: SnapshotEntry | undefined): boolean {
  return entry !== undefined && entry >= FOLLOWED;
}

/** Whether an operation ended more than T before the last complete sweep, which therefore saw its end. */
export function endedBefore(operation: Operation, sweep: Sweep | undefined, policy: Policy): boolean {
  return (
    sweep !== undefined &&
    operation.done &&
    operation.endTime !== undefined &&
    operation.endTime.getTime() < sweep.completedAt.getTime() - policy.absenceMs
  );
}

export function sameSnapshot(left: SweepSnapshot, right: SweepSnapshot): boolean {
  if (left.size !== right.size) {
    return false;
  }
  for (const [key, entry] of left) {
    if (right.get(key) !== entry) {
      return false;
    }
  }
  return true;
}
