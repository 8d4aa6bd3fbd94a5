import { describe, expect, it } from 'vitest';

import { later } from '../../shared/clock.ts';
import type { Sweep } from '../../shared/model/project-status.ts';
import {
  endedBefore,
  hasChanged,
  isFollowed,
  nameKey,
  pack,
  snapshotEntry,
  unpack,
} from '../../shared/polling/sweep-snapshot.ts';
import { operationIn, policy, start } from '../record/samples.ts';

describe('the entry of an operation', () => {
  const running = (progress: number) => operationIn('RUNNING', { progress });
  const entry = snapshotEntry(running(0.2), { progress: 0.2 });

  it.each([
    [0.2, false],
    [0.29, false],
    [0.3, true],
    [0.1, true],
  ])('with progress 0.2, and progress %f now: changed is %s', (progress, changed) => {
    expect(hasChanged(running(progress), entry)).toBe(changed);
  });

  it('changes with the state, and with the end', () => {
    expect(hasChanged(operationIn('CANCELLING', { progress: 0.2 }), entry)).toBe(true);
    expect(hasChanged(operationIn('RUNNING', { progress: 0.2, done: true }), entry)).toBe(true);
  });

  it('that no record follows does not change with progress', () => {
    const extra = snapshotEntry(running(0.2), undefined);
    expect(isFollowed(extra)).toBe(false);
    expect(hasChanged(running(0.9), extra)).toBe(false);
  });

  it('stays the same in the stored form', () => {
    const known = new Map([[nameKey('projects/p/operations/A'), entry]]);
    expect(unpack(pack(known))).toEqual(known);
  });
});

describe('an ended operation', () => {
  const sweep: Sweep = { completedAt: start, pages: 1, known: new Uint8Array(), updatedAt: start };
  const endedAgo = (ms: number) => operationIn('SUCCEEDED', { endTime: later(start, -ms) });

  it('is skipped if it ended more than T before the last complete sweep', () => {
    expect(endedBefore(endedAgo(policy.absenceMs + 1), sweep, policy)).toBe(true);
  });

  it('is read if it ended later: the list may have been older', () => {
    expect(endedBefore(endedAgo(policy.absenceMs), sweep, policy)).toBe(false);
    expect(endedBefore(endedAgo(0), sweep, policy)).toBe(false);
  });

  it('is read if no sweep was complete, or if it has no end time', () => {
    expect(endedBefore(endedAgo(2 * policy.absenceMs), undefined, policy)).toBe(false);
    expect(endedBefore(operationIn('SUCCEEDED', { endTime: undefined }), sweep, policy)).toBe(false);
  });
});
