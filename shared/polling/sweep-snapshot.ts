import { hash } from 'node:crypto';

import { type Operation, operationStates } from '../earth-engine/api.ts';
import type { Policy } from '../record/policy.ts';
import type { Sweep } from '../model/project-status.ts';

/**
 * What a sweep remembers of each of our operations, so that the next one reads only the records of those that changed:
 * six bytes of the operation name's SHA-256, and two for what is recorded of it. 10,000 operations take 80 KB. Two names
 * may collide (once in millions of sweeps): then a change is seen by the record's own safety net instead.
 */
export type SweepSnapshot = Map<number, SnapshotEntry>;

/**
 * State and progress in 12 bits: the recorded progress in hundredths, EE's state, whether it is done, and whether a
 * record follows it. A record follows one operation; a double, or an operation of somebody who keeps records elsewhere,
 * is remembered without.
 */
type SnapshotEntry = number;

const ENTRY_BYTES = 8;
const STATE = 128;
const DONE = STATE * 8;
const FOLLOWED = DONE * 2;

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
  for (const [name, remembered] of known) {
    bytes.writeUIntBE(name, offset, 6);
    bytes.writeUInt16BE(remembered, offset + 6);
    offset += ENTRY_BYTES;
  }
  return bytes;
}

export function nameKey(operation: string): number {
  return hash('sha256', operation, 'buffer').readUIntBE(0, 6);
}

/** @param recorded the progress that its record has; undefined where no record follows it */
export function snapshotEntry(
  operation: Operation,
  recorded: { progress: number | undefined } | undefined,
): SnapshotEntry {
  const hundredths = Math.ceil((recorded?.progress ?? 0) * 100 - 1e-6);
  return stateOf(operation) + (recorded ? FOLLOWED : 0) + hundredths;
}

/** Whether an operation's record is to be read: its state is new, or it moved a tenth from the progress recorded. */
export function isNews(operation: Operation, remembered: SnapshotEntry | undefined): boolean {
  if (
    remembered === undefined ||
    stateOf(operation) !== Math.floor((remembered % FOLLOWED) / STATE) * STATE
  ) {
    return true;
  }
  if (operation.progress === undefined || !isFollowed(remembered)) {
    return false;
  }
  const hundredths = Math.floor(operation.progress * 100 + 1e-6);
  return Math.abs(hundredths - (remembered % STATE)) >= 10;
}

function stateOf({ state, done }: Operation): number {
  const states: readonly string[] = operationStates;
  const index = state === undefined ? states.length + 1 : states.indexOf(state) + 1;
  return (done ? DONE : 0) + index * STATE;
}

/** Whether it was the operation of an active record. */
export function isFollowed(remembered: SnapshotEntry | undefined): boolean {
  return remembered !== undefined && remembered >= FOLLOWED;
}

/** Whether an operation ended so long before the last complete sweep that the sweep saw its end: by T it is listed so. */
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
  for (const [name, remembered] of left) {
    if (right.get(name) !== remembered) {
      return false;
    }
  }
  return true;
}
