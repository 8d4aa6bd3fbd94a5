import { describe, expect, it } from 'vitest';

import { HOUR_MS, later, MINUTE_MS } from '../../shared/clock.ts';
import { grow } from '../../shared/record/carry.ts';
import { type Edge, edges, notes } from '../../shared/record/edges.ts';
import { noteExtraOperation } from '../../shared/record/extra-operations.ts';
import { lose, noteMissing, observe, recordOperation } from '../../shared/record/observe.ts';
import {
  activeStates,
  type ExportRecord,
  isActive,
  isInSubmission,
  recordSchema,
  recordStates,
  type RecordState,
  terminalStates,
} from '../../shared/model/record.ts';
import {
  cancelOnArrival,
  cancelUnseen,
  cancelUnsent,
  requestCancellation,
} from '../../shared/record/cancellation.ts';
import { claim, enqueue, enqueueHeld, enqueueInOutage } from '../../shared/record/new-records.ts';
import {
  claimAgain,
  defer,
  isHeldBack,
  loseTrack,
  markDue,
  nextGeneration,
  reject,
  releaseHeld,
  wait,
} from '../../shared/record/transitions.ts';
import { afterOperation } from '../../shared/submission/note-operation.ts';
import {
  error,
  job,
  moment,
  noFindings,
  operationIn,
  operationName,
  source,
  policy,
  recordId,
  frozen,
} from './samples.ts';

/** The state machine: every edge works, and there are no others. */

const { now } = moment;
const by = { token: 'other', serviceAccount: 'a@demo', search: undefined };
const findings = { requestId: recordId, submissions: 1 };

/** Applies a transition; undefined if it does not apply to that state. */
type Apply = (record: ExportRecord | undefined, to: RecordState) => ExportRecord | undefined;

const transitions: Readonly<Record<string, Apply>> = {
  claim: (record) => (record ? undefined : claim(job, source, 'token', policy, now)),
  enqueue: (record) => (record ? undefined : enqueue(job, source, 'QUEUE', now, now)),
  enqueueInOutage: (record) => (record ? undefined : enqueueInOutage(job, source, error, now, now)),
  enqueueHeld: (record) => (record ? undefined : enqueueHeld(job, source, 'all', now, now)),
  cancelUnseen: (record) =>
    record
      ? undefined
      : cancelUnseen({ recordId, project: 'demo-ee', jobKey: 'k', attempt: 1 }, '1', policy, now),
  cancelOnArrival: (record) => (record ? undefined : cancelOnArrival(job, source, now, policy, now)),
  claimAgain: (record) =>
    record && isInSubmission(record) ? claimAgain(record, by, policy, now) : undefined,
  nextGeneration: (record) =>
    record?.state === 'SUBMITTING'
      ? nextGeneration(record, noFindings, { requestId: `${recordId}-g2`, description: 'd' }, now)
      : undefined,
  wait: (record) =>
    record?.state === 'SUBMITTING'
      ? wait(record, noFindings, { waitingFor: 'QUEUE', error }, policy, moment)
      : undefined,
  reject: (record) =>
    record?.state === 'SUBMITTING' ? reject(record, noFindings, error, policy, now) : undefined,
  cancelUnsent: (record) =>
    record && isInSubmission(record) ? cancelUnsent(record, policy, now) : undefined,
  recordOperation: (record, to) =>
    record && isInSubmission(record)
      ? recordOperation(record, operationIn(to), findings, policy, moment)
      : undefined,
  observe: (record, to) =>
    record && isActive(record) ? observe(record, operationIn(to), policy, moment, true) : undefined,
  loseTrack: (record) =>
    record?.state === 'SUBMITTING' ? loseTrack(record, noFindings, error, policy, now) : undefined,
  lose: (record) => (record && isActive(record) ? lose(record, policy, now) : undefined),
};

const from = (state: Edge[0]): ExportRecord | undefined => (state === 'NEW' ? undefined : frozen(state));

describe('edges', () => {
  it.each(edges)('%s + %s -> %s', (state, transition, to) => {
    const before = from(state);
    const after = transitions[transition]?.(before, to);
    expect(after?.state).toBe(to);
    expect(recordSchema.parse(after)).toEqual(withoutAbsent(after));
    expect(after?.revision).toBe((before?.revision ?? 0) + 1);
    expect(after?.updatedAt).toEqual(now);
    const isInHistory =
      before?.state !== to || transition === 'claimAgain' || transition === 'nextGeneration';
    expect(after?.history.length).toBe((before?.history.length ?? 0) + (isInHistory ? 1 : 0));
  });

  it('are everything that the transitions can do', () => {
    const done = new Set<string>();
    for (const state of ['NEW', ...recordStates] as const) {
      for (const [transition, apply] of Object.entries(transitions)) {
        for (const to of recordStates) {
          const after = isReported(to) ? apply(from(state), to) : undefined;
          if (after) {
            done.add(`${state} + ${transition} -> ${after.state}`);
          }
        }
      }
    }
    expect([...done].sort()).toEqual(edges.map(([a, b, c]) => `${a} + ${b} -> ${c}`).sort());
  });

  it('lead to every state, and out of every state that is not final', () => {
    for (const state of recordStates) {
      expect(edges.some(([, , to]) => to === state)).toBe(true);
      const leaves = edges.some(([start, , to]) => start === state && to !== state);
      expect(leaves).toBe(!(terminalStates as readonly string[]).includes(state));
    }
  });
});

const isReported = (state: RecordState): boolean =>
  !['SUBMITTING', 'WAITING', 'REJECTED', 'LOST'].includes(state);

/** Firestore stores no absent fields. */
const withoutAbsent = (record: object | undefined): object =>
  Object.fromEntries(Object.entries(record ?? {}).filter(([, value]) => value !== undefined));

describe('a final state', () => {
  it.each(terminalStates)('%s stays, whatever Earth Engine reports', (state) => {
    const record = frozen(state);
    for (const reported of recordStates.filter(isReported)) {
      for (const name of [operationName, 'projects/demo-ee/operations/ANOTHER']) {
        const found = { operation: operationIn(reported, { name }), requestId: recordId };
        const after = afterOperation(record, found, policy, moment) ?? record;
        expect(after.state).toBe(state);
        expect(after).toMatchObject('operation' in record ? { operation: record.operation } : {});
      }
    }
  });

  it.each(terminalStates)('%s expires, and is never due', (state) => {
    expect(frozen(state)).toMatchObject({ expireAt: expect.any(Date), finishedAt: expect.any(Date) });
    expect(frozen(state)).not.toHaveProperty('dueAt');
    expect(frozen(state)).not.toHaveProperty('claim');
  });
});

describe('notes leave the state unchanged', () => {
  const extra = { operation: 'projects/demo-ee/operations/EXTRA', requestId: `${recordId}-g2` };
  const noting: Readonly<Record<(typeof notes)[number], (record: ExportRecord) => ExportRecord | undefined>> =
    {
      requestCancellation: (record) => requestCancellation(record, now),
      noteExtraOperation: (record) => noteExtraOperation(record, extra, now),
      noteMissing: (record) => (isActive(record) ? noteMissing(record, policy, now) : undefined),
      markDue: (record) =>
        isActive(record) || record.state === 'WAITING' ? markDue(record, now) : undefined,
      defer: (record) =>
        isActive(record) || isInSubmission(record) ? defer(record, 'damaged', now, now) : undefined,
      releaseHeld: (record) =>
        record.state === 'WAITING' ? releaseHeld({ ...record, heldBy: 'all' }, now) : undefined,
    };

  it.each(notes.flatMap((note) => recordStates.map((state) => [note, state] as const)))(
    '%s in %s',
    (note, state) => {
      const after = noting[note](frozen(state));
      expect(after?.state ?? state).toBe(state);
      expect(after === undefined || recordSchema.safeParse(after).success).toBe(true);
    },
  );
});

describe('a long history', () => {
  it('loses its middle, so that its document stays small', () => {
    let history: ExportRecord['history'] = [];
    for (let n = 0; n < 1000; n += 1) {
      history = grow(history, { state: 'WAITING', at: now, note: String(n) });
    }
    expect(history).toHaveLength(50);
    expect(history.slice(0, 6).map(({ note }) => note)).toEqual(['0', '1', '2', '3', '4', '955']);
    expect(history.at(-1)?.note).toBe('999');
  });
});

describe('a claim', () => {
  it('is due when its lease ends, and not taken over earlier', () => {
    const record = frozen('SUBMITTING');
    expect(record.dueAt).toEqual(record.claim.leaseUntil);
  });

  it('that ran out adds an unanswered send, and drops earlier searches', () => {
    const searched = { firstEndedAt: now, lastStartedAt: now };
    const record = { ...frozen('SUBMITTING'), searches: searched };
    expect(claimAgain(record, by, policy, now)).toMatchObject({ unanswered: 1, submissions: 0 });
    expect(claimAgain(record, by, policy, now).searches).toBeUndefined();
  });

  it('after an answered send adds none', () => {
    const record = { ...frozen('WAITING'), submissions: 1 };
    expect(claimAgain(record, by, policy, now).unanswered).toBe(0);
  });

  it('by another account keeps the first account until none of its sends can have started an operation', () => {
    const search = (ms: number) => ({
      startedAt: new Date(now.getTime() + ms),
      endedAt: new Date(now.getTime() + ms),
    });
    const other = { token: 'b', serviceAccount: 'b@demo' };
    const record = { ...frozen('WAITING'), submissions: 1 };
    const first = claimAgain(record, { ...other, search: search(0) }, policy, now);
    expect(first).toMatchObject({ serviceAccount: 'a@demo', unanswered: 1 });
    const put = wait(
      first,
      { ...noFindings, unanswered: 1, searches: first.searches },
      { waitingFor: 'ADOPTION', error },
      policy,
      moment,
    );
    const second = claimAgain(put, { ...other, search: search(policy.absenceMs) }, policy, now);
    expect(second).toMatchObject({ serviceAccount: 'b@demo', unanswered: 0 });
  });
});

describe('the end of the last unanswered send', () => {
  const how = { waitingFor: 'SERVICE', error } as const;

  it('is stored when the record waits, and kept by the next claim', () => {
    const sentUntil = later(now, -5000);
    const waiting = wait(
      frozen('SUBMITTING'),
      { ...noFindings, unanswered: 1, sentUntil },
      how,
      policy,
      moment,
    );
    expect(waiting.sentUntil).toEqual(sentUntil);
    const by = { token: 'next', serviceAccount: 'a@demo', search: undefined };
    expect(claimAgain(waiting, by, policy, later(now, 60_000)).sentUntil).toEqual(sentUntil);
  });

  it('is the end of the lease if the holder of a claim does not say', () => {
    const claimed = frozen('SUBMITTING');
    const by = { token: 'next', serviceAccount: 'a@demo', search: undefined };
    const again = claimAgain(claimed, by, policy, later(now, 3_600_000));
    expect(again.sentUntil).toEqual(claimed.claim.leaseUntil);
  });
});

describe('a record that is deferred', () => {
  const dueAt = new Date(now.getTime() + HOUR_MS);
  const deferred = (fields: object) => defer({ ...frozen('WAITING'), ...fields }, 'damaged', dueAt, now);

  it.each([
    ['QUEUE', 'SERVICE'],
    ['RATE', 'SERVICE'],
    ['ADOPTION', 'ADOPTION'],
    ['PERMISSION', 'PERMISSION'],
  ])('while it waits for %s, waits for %s: it leaves the head of the queue', (waitingFor, then) => {
    expect(deferred({ waitingFor })).toMatchObject({
      waitingFor: then,
      dueAt,
      error: { status: 'DEFERRED', message: 'damaged' },
    });
  });

  it('keeps the reason why it is being rejected', () => {
    expect(deferred({ rejecting: true })).toMatchObject({ error });
  });
});

describe('the next generation', () => {
  const next = { requestId: `${recordId}-g2`, description: `las-vegas_${recordId}-g2` };

  it('starts without unanswered sends and searches, and keeps the claim', () => {
    const record = frozen('SUBMITTING');
    const searches = { firstEndedAt: now, lastStartedAt: now, refusedAt: now };
    const found = { sends: 2, unanswered: 3, sentUntil: now, searches };
    const after = nextGeneration(record, found, next, now);
    expect(after).toMatchObject({ ...next, generation: 2, unanswered: 0, submissions: 2 });
    expect(after.searches).toBeUndefined();
    expect(after.claim).toEqual(record.claim);
  });
});

describe('a record is held back', () => {
  const claimed = frozen('SUBMITTING');
  const waiting = frozen('WAITING');

  it.each([
    ['not if this account may send it', claimed, 'a@demo', false],
    ['if it is being canceled', requestCancellation(claimed, now), 'a@demo', true],
    ['if it is being rejected', { ...claimed, rejecting: true }, 'a@demo', true],
    ['if another account claimed it', claimed, 'b@demo', true],
    ['if another account sent it', { ...waiting, submissions: 1 }, 'b@demo', true],
    ['not if no account has sent it', { ...waiting, serviceAccount: undefined }, 'b@demo', false],
  ])('%s', (_, record, account, expected) => {
    expect(isInSubmission(record) && isHeldBack(record, account)).toBe(expected);
  });
});

describe('an operation that Earth Engine reports', () => {
  const running = { ...frozen('RUNNING'), progress: 0.2, movedAt: now, stalledSince: undefined };

  it.each([
    ['with a tenth more progress', { progress: 0.3 }, true],
    ['with less than a tenth more progress', { progress: 0.29 }, false],
    ['without progress and attempt', {}, false],
    ['in another attempt, from the start', { progress: 0, runAttempt: 2 }, true],
    ['in another state', { state: 'CANCELLING' as const }, true],
  ])('%s', (_, change, isWritten) => {
    const reported = operationIn('RUNNING', { progress: 0.2, ...change });
    const operation =
      'progress' in change || 'state' in change ? reported : { ...reported, progress: undefined };
    expect(observe(running, operation, policy, moment, false) !== undefined).toBe(isWritten);
  });

  it.each([
    ['RUNNING', 'UNKNOWN', 'RUNNING'],
    ['CANCELLING', 'UNKNOWN', 'CANCELLING'],
    // It has a start time, so it started.
    ['PENDING', 'UNKNOWN', 'RUNNING'],
  ] as const)('for a record in %s, in an unknown state (%s), is %s', (state, reported, recorded) => {
    const after = observe(frozen(state), operationIn(reported, { startTime: now }), policy, moment, true);
    expect(after?.state).toBe(recorded);
  });

  it.each([
    ['done with a response', { hasResponse: true }, 'SUCCEEDED'],
    ['done with an error', { error: { code: 13, message: 'Internal.' } }, 'FAILED'],
    ['done with the code of a cancellation', { error: { code: 1, message: 'Cancelled.' } }, 'CANCELLED'],
    ['done with neither', {}, 'FAILED'],
    ['done with neither, but an output', { destinationUris: ['https://storage.example/v.mp4'] }, 'SUCCEEDED'],
  ])('%s', (_, change, ending) => {
    const reported = operationIn('RUNNING', { done: true, ...change });
    expect(observe(frozen('RUNNING'), reported, policy, moment, false)?.state).toBe(ending);
  });

  it('is stalled if nothing moved for STALLED_HOURS, once, until it moves', () => {
    const later = { now: new Date(now.getTime() + 25 * HOUR_MS), random: 0 };
    const same = operationIn('RUNNING', { progress: 0.2, runAttempt: 1 });
    const stalled = observe(running, same, policy, later, false);
    expect(stalled).toMatchObject({ state: 'RUNNING', stalledSince: now });
    if (!stalled || !isActive(stalled)) {
      throw new Error('the record is not active');
    }
    expect(observe(stalled, same, policy, later, false)).toBeUndefined();
    expect(observe(stalled, { ...same, progress: 0.31 }, policy, later, false)).toMatchObject({
      stalledSince: undefined,
    });
  });

  it('that moves in small steps is written now and then, so that it does not look stalled', () => {
    const step = operationIn('RUNNING', { progress: 0.25, runAttempt: 1 });
    const after = (hours: number) => ({ now: new Date(now.getTime() + hours * HOUR_MS), random: 0 });
    expect(observe(running, step, policy, after(5), false)).toBeUndefined();
    expect(observe(running, step, policy, after(7), false)).toMatchObject({ movedAt: after(7).now });
  });

  it('is not missing any longer, although nothing else changed', () => {
    const missing = { ...running, missingSince: now };
    const after = observe(missing, operationIn('RUNNING', { progress: 0.2 }), policy, moment, false);
    expect(after).toBeDefined();
    expect(after).not.toHaveProperty('missingSince');
  });

  it('is stalled even if Earth Engine omits fields', () => {
    const later = { now: new Date(now.getTime() + 25 * HOUR_MS), random: 0 };
    const without = operationIn('RUNNING', { runAttempt: undefined, progress: undefined });
    expect(observe(running, without, policy, later, false)).toMatchObject({ stalledSince: now });
  });
});

describe('the next check', () => {
  it.each(activeStates)('at %s is within POLL_MIN and POLL_MAX', (state) => {
    for (const random of [0, 0.5, 0.999]) {
      const after = observe(frozen(state), operationIn(state), policy, { now, random }, true);
      const inMs = after && isActive(after) ? after.dueAt.getTime() - now.getTime() : 0;
      expect(inMs).toBeGreaterThanOrEqual(MINUTE_MS);
      expect(inMs).toBeLessThanOrEqual(HOUR_MS);
    }
  });
});
