import { describe, expect, it } from 'vitest';

import { HOUR_MS, MINUTE_MS, SECOND_MS } from '../../shared/clock.ts';
import { parseRequestId } from '../../shared/model/ids.ts';
import { policyOf } from '../../shared/record/policy.ts';
import { cancelUnseen } from '../../shared/record/cancellation.ts';
import type { Services } from '../../shared/services.ts';
import { isReadable } from '../../shared/store/store.ts';
import { type Harness, queueFull, simulatedEarthEngine, smallJob } from '../harness.ts';
import { createFaultyProcess, type Fault } from './faults.ts';
import { sendSlowly } from './slow-sender.ts';

import {
  cancel,
  eventKinds,
  faulty,
  pollFor,
  refusal,
  startAtEarthEngine,
  T_MS,
  theRecord,
  world,
} from './rules-world.ts';

/**
 * The rules that keep the promise. Every test was seen to fail with its rule removed from the product; a comment says
 * what was removed.
 */

describe('rule 8: cancellation', () => {
  // Removed: the search for a canceled record with unanswered sends (giveBack cancels at once).
  it('of a job with an unanswered send searches first, and cancels the operation that it finds', async () => {
    const harness = world({ simulator: { settings: { listLagMs: 100 * SECOND_MS, runMs: [1e7, 1e7] } } });
    harness.simulator.failNext('export', { kind: 'lost' }, 3);
    await harness.submit({ data: smallJob() });
    await cancel(harness);
    await harness.poll();
    expect((await theRecord(harness)).state).toBe('WAITING');
    await harness.untilQuiet();
    expect(harness.simulator.operations()).toMatchObject([{ state: 'CANCELLED', cancelRequested: true }]);
    expect(await theRecord(harness)).toMatchObject({ state: 'CANCELLED', operation: expect.any(String) });
  });

  // Removed: isHeldBack in resume.
  it('sends nothing more, and ends when no operation can exist', async () => {
    const harness = world();
    harness.simulator.failNext('export', { kind: 'reset' }, 3);
    await harness.submit({ data: smallJob() });
    const sent = harness.simulator.exportCalls.length;
    await cancel(harness);
    await harness.untilQuiet();
    expect(harness.simulator.exportCalls).toHaveLength(sent);
    expect(await theRecord(harness)).toMatchObject({ state: 'CANCELLED' });
  });

  // Removed: the dueAt and waitingFor of requestCancellation.
  it('does not wait behind a closed gate', async () => {
    const harness = world();
    harness.simulator.failNext('export', { kind: 'reset' });
    harness.simulator.failNext('export', { kind: 'status', status: 429 }, 1000);
    await harness.submit({ data: smallJob() });
    expect(await theRecord(harness)).toMatchObject({ waitingFor: 'RATE', unanswered: 1 });
    // The record in front of it finds the gate closed each time.
    await harness.submit({ data: smallJob({ jobKey: 'urgent' }, { priority: 9000 }) });
    await cancel(harness);
    await pollFor(harness, T_MS + 2 * MINUTE_MS);
    expect((await theRecord(harness)).state).toBe('CANCELLED');
  });

  // Seen red: the next poll that asked Earth Engine again was up to POLL_MAX_SECONDS later.
  it('is repeated within 10 minutes if the process dies before it asks Earth Engine', async () => {
    const harness = world({
      environment: { POLL_MAX_SECONDS: '3600' },
      simulator: { settings: { pendingMs: 3 * HOUR_MS } },
    });
    await harness.submit({ data: smallJob() });
    await cancel(harness);
    harness.clock.advance(HOUR_MS);
    await faulty(harness, { step: 'records.replace', occurrence: 1, kind: 'crash after' })
      .poll()
      .catch(() => undefined);
    await pollFor(harness, 11 * MINUTE_MS);
    expect(harness.simulator.operations()).toMatchObject([{ cancelRequested: true }]);
  });

  // Removed: the cancellation in noteOperation.
  it('cancels an operation of the job at Earth Engine as soon as it is recorded', async () => {
    const harness = world({ simulator: { settings: { runMs: [1e7, 1e7] } } });
    const sender = sendSlowly(harness);
    await sender.posted;
    await cancel(harness);
    sender.answer(await sender.arrive());
    await sender.submitted;
    expect(harness.simulator.operations()).toMatchObject([{ cancelRequested: true }]);
    await harness.untilQuiet();
    expect((await theRecord(harness)).state).toBe('CANCELLED');
  });

  // Removed: submit's check of the existing record.
  it('of a job without a record creates one, which the message then finds', async () => {
    const harness = world();
    const probe = world();
    await probe.submit({ data: smallJob() });
    const [{ id } = { id: '' }] = await probe.records();
    const job = { recordId: id, project: 'demo-test', jobKey: 'test/1', attempt: 1 };
    const unseen = cancelUnseen(job, 'cancellation', policyOf(harness.config), harness.clock.now());
    await harness.store.records.create(id, unseen);
    expect(await harness.submit({ data: smallJob() })).toMatchObject({ outcome: 'DUPLICATE' });
    expect(harness.simulator.exportCalls).toHaveLength(0);
  });
});

describe('rule 9: the sweep', () => {
  async function withExtra(requestIdOfExtra: (own: string) => string): Promise<Harness> {
    const harness = world({
      simulator: { settings: { queueLimit: 1, useUpIdWhenFull: true, runMs: [1e6, 1e6] } },
    });
    harness.simulator.setOthers('demo-test', { pending: 1 });
    await harness.submit({ data: smallJob() });
    harness.simulator.set({ queueLimit: 100 });
    harness.simulator.setOthers('demo-test', { pending: 0 });
    await pollFor(harness, 2 * MINUTE_MS);
    const { requestId } = await theRecord(harness);
    expect(requestId).toMatch(/-g2$/);
    const extra = requestIdOfExtra(requestId);
    // With a different id, like a request that Earth Engine accepted long ago.
    await startAtEarthEngine(harness, `late-${extra}`, `small_${extra}`);
    await pollFor(harness, 2 * MINUTE_MS);
    return harness;
  }

  // Removed: its cancellation; then reading its record while it is PENDING; then its event.
  it('notes, reports, logs, and cancels an extra operation of another generation', async () => {
    const harness = await withExtra((own) => own.replace('-g2', ''));
    expect(await theRecord(harness)).toMatchObject({ extraOperations: [{ cancelledAt: expect.any(Date) }] });
    expect(eventKinds(harness)).toContainEqual(expect.stringContaining('EXTRA_OPERATION'));
    expect(harness.logged).toContainEqual(
      expect.objectContaining({ event: 'record.extra_operation', severity: 'WARNING' }),
    );
    expect(harness.simulator.operations().map((each) => each.cancelRequested)).toEqual([false, true]);
  });

  // Removed: isOursToCancel's comparison with the record's own id; then with the generations that were sent.
  it.each([
    ['the same id', (own: string) => own],
    ['a generation that was never sent', (own: string) => own.replace('-g2', '-g7')],
  ])('only reports an extra operation of %s', async (_, extraId) => {
    const harness = await withExtra(extraId);
    expect((await theRecord(harness)).extraOperations).toHaveLength(1);
    expect(eventKinds(harness)).toContainEqual(expect.stringContaining('EXTRA_OPERATION'));
    expect(harness.simulator.operations().map((each) => each.cancelRequested)).toEqual([false, false]);
  });

  // Removed: the count of unanswered sends in sweepProject.
  it('adopts an operation for a record without one, even if all records of a project wait', async () => {
    const harness = world();
    harness.simulator.failNext('export', { kind: 'lost' }, 3);
    await harness.submit({ data: smallJob() });
    await harness.poll();
    const record = await theRecord(harness);
    expect(record).toMatchObject({ operation: harness.simulator.operations()[0]?.name });
    expect(record.history.at(-1)?.note).toBe('adopted by the sweep');
  });
});

describe('rule 9: while a send is unanswered, the sweep', () => {
  /** One PENDING record whose operation no list shows, and an unanswered send whose operation every list shows. */
  async function oneHidden(before: (harness: Harness, poll: () => Promise<unknown>) => Promise<void>) {
    const harness = world({ simulator: { settings: { concurrency: 0 } } });
    await harness.submit({ data: smallJob({ jobKey: 'listed once' }) });
    const hidden = harness.simulator.operations()[0]?.name;
    const poller = harness.instance((services) => ({
      ...services,
      earthEngine: {
        ...services.earthEngine,
        listOperations: async (...call) => {
          const page = await services.earthEngine.listOperations(...call);
          return { ...page, operations: page.operations.filter(({ name }) => name !== hidden) };
        },
      },
    }));
    await before(harness, () => poller.poll());
    const unanswered = (await harness.records()).find(({ value }) => value.jobKey === 'unanswered');
    expect(unanswered?.value).toMatchObject({ operation: harness.simulator.operations()[1]?.name });
  }

  // Removed: mayAssume in isExact.
  it('assumes of no queued operation that another record follows it', async () => {
    await oneHidden(async (harness, poll) => {
      harness.simulator.failNext('export', { kind: 'lost' }, 3);
      await harness.submit({ data: smallJob({ jobKey: 'unanswered' }) });
      await poll();
    });
  });

  // Removed: isAssumed in readList.
  it('reads the records of queued operations that earlier sweeps assumed to be followed', async () => {
    await oneHidden(async (harness, poll) => {
      const sender = sendSlowly(harness, undefined, 'unanswered');
      await sender.posted;
      await sender.arrive();
      await poll();
      sender.fail(refusal('UNANSWERED', 503));
      await sender.submitted;
      await poll();
    });
  });
});

describe('rule 10: LOST', () => {
  // Removed: T in isLostOn404.
  it('takes two 404s at least T apart', async () => {
    const harness = world({ simulator: { settings: { runMs: [1e7, 1e7] } } });
    // With so many other operations in the list, ours is requested individually.
    harness.simulator.setOthers('demo-test', { ended: 1200 });
    await harness.submit({ data: smallJob() });
    harness.simulator.forgetOperation(harness.simulator.operations()[0]?.name ?? '');
    let missingAt: Date | undefined;
    for (let polls = 0; polls < 60 && (await theRecord(harness)).state !== 'LOST'; polls += 1) {
      await pollFor(harness, MINUTE_MS);
      const record = await theRecord(harness);
      missingAt ??= 'missingSince' in record ? record.missingSince : undefined;
    }
    const record = await theRecord(harness);
    expect(record.state).toBe('LOST');
    expect(harness.clock.now().getTime() - (missingAt?.getTime() ?? Infinity)).toBeGreaterThanOrEqual(T_MS);
  });

  // Removed: listedSinceMissing.
  it('never happens while a list has the operation', async () => {
    const harness = world({ simulator: { settings: { runMs: [1e7, 1e7] } } });
    harness.simulator.setOthers('demo-test', { ended: 1200 });
    await harness.submit({ data: smallJob() });
    harness.simulator.failNext('get', { kind: 'status', status: 404, message: 'Operation not found.' }, 1000);
    await pollFor(harness, 60 * MINUTE_MS);
    expect((await theRecord(harness)).state).toBe('RUNNING');
  });
});

describe('rule 11: another service account', () => {
  // Removed: the account that claimAgain keeps until absence is proven.
  it('sends nothing while the first account’s send may still start an operation', async () => {
    const tokens = { 'a@demo': 'a@demo', 'b@demo': 'b@demo' };
    const harness = world({ simulator: { settings: { tokens, listLagMs: 200 * SECOND_MS } } });
    const as = (account: string, fault?: Fault) =>
      harness.instance((services: Services) => {
        const earthEngine = simulatedEarthEngine(harness.simulator, harness.clock, account);
        return createFaultyProcess(harness.clock, fault).wrap({ ...services, earthEngine });
      });
    const first = as('a@demo', { step: 'ee.startExport', occurrence: 1, kind: 'crash after' });
    await expect(first.submit({ data: smallJob() })).rejects.toThrow();
    const second = as('b@demo');
    for (let polls = 0; polls < 10; polls += 1) {
      harness.clock.advance(MINUTE_MS);
      await second.poll();
    }
    expect(harness.simulator.operations()).toMatchObject([{ identity: 'a@demo' }]);
    expect(await theRecord(harness)).toMatchObject({
      operation: harness.simulator.operations()[0]?.name,
      serviceAccount: 'a@demo',
    });
  });
});

describe('rule 12: a record whose write failed in a sweep', () => {
  // Removed: markDueAtOnce.
  it('is due at once', async () => {
    const harness = world({ simulator: { settings: { runMs: [1e7, 1e7] } } });
    await harness.submit({ data: smallJob() });
    await harness.poll();
    harness.clock.advance(MINUTE_MS);
    const failing = faulty(harness, { step: 'records.replace', occurrence: 1, kind: 'error' });
    const { due, failed } = await failing.poll();
    expect({ due, failed }).toEqual({ due: 1, failed: 1 });
    expect((await theRecord(harness)).state).toBe('RUNNING');
  });
});

describe('rule 14: the probe', () => {
  async function behindAClosedGate(jobs: number): Promise<Harness> {
    const harness = world();
    harness.simulator.failNext('export', queueFull);
    for (let job = 0; job < jobs; job += 1) {
      await harness.submit({ data: smallJob({ jobKey: `job ${job}` }) });
    }
    expect((await harness.records()).map(({ value }) => value.state)).toEqual(Array(jobs).fill('WAITING'));
    return harness;
  }

  // Removed: leaseUntil of the probe in startFeeding.
  it('is leased: a dead prober keeps the gate closed for one lease at most', async () => {
    const harness = await behindAClosedGate(3);
    harness.clock.advance(MINUTE_MS);
    await faulty(harness, { step: 'records.readRequest', occurrence: 1, kind: 'crash before' })
      .poll()
      .catch(() => undefined);
    expect(harness.simulator.operations()).toHaveLength(0);
    await pollFor(harness, 4 * MINUTE_MS);
    expect(harness.simulator.operations()).toHaveLength(3);
  });

  // Removed: the next probe after one whose job itself was the problem (concludeProbe).
  it('passes to the next record if Earth Engine refuses the first one’s job', async () => {
    const harness = await behindAClosedGate(3);
    harness.clock.advance(MINUTE_MS);
    harness.simulator.failNext('export', { kind: 'status', status: 400, message: 'poison' });
    await harness.poll();
    expect(harness.simulator.operations()).toHaveLength(2);
  });

  // Removed: giveUpProbe in resumeThroughGate.
  it('passes to the next record if work on the first one fails', async () => {
    const harness = await behindAClosedGate(3);
    harness.clock.advance(MINUTE_MS);
    await faulty(harness, { step: 'records.readRequest', occurrence: 1, kind: 'error' }).poll();
    expect(harness.simulator.operations()).toHaveLength(2);
  });

  // Removed: the separate query (overdueSubmitting after dueWaiting).
  it('and waiting records never delay overdue claims', async () => {
    const harness = world({ environment: { POLL_BUDGET_SECONDS: '60' } });
    harness.simulator.failNext('export', { kind: 'status', status: 503 }, 9);
    for (let job = 0; job < 3; job += 1) {
      await harness.submit({ data: smallJob({ jobKey: `waiting ${job}` }) });
    }
    const dying = faulty(harness, { step: 'ee.startExport', occurrence: 1, kind: 'crash before' });
    await expect(dying.submit({ data: smallJob({ jobKey: 'claimed' }) })).rejects.toThrow();
    harness.clock.advance(3 * MINUTE_MS);
    const before = harness.simulator.exportCalls.length;
    await harness.poll();
    const claimed = (await harness.records()).find(({ value }) => value.jobKey === 'claimed');
    expect(parseRequestId(harness.simulator.exportCalls[before]?.requestId ?? '')?.recordId).toBe(
      claimed?.id,
    );
  });
});

describe('the history', () => {
  it('shows what was decided and why', async () => {
    const harness = world();
    const dying = faulty(harness, { step: 'ee.startExport', occurrence: 1, kind: 'crash before' });
    await expect(dying.submit({ data: smallJob() })).rejects.toThrow();
    harness.simulator.failNext('export', { kind: 'status', status: 503, message: 'maintenance' }, 3);
    await harness.untilQuiet();
    const lines = (await theRecord(harness)).history.map(({ state, note }) =>
      note ? `${state}: ${note}` : state,
    );
    expect(lines).toEqual([
      'SUBMITTING',
      'SUBMITTING: its claim ran out',
      'WAITING: SERVICE: maintenance',
      'SUBMITTING',
      'PENDING',
      'SUCCEEDED',
    ]);
  });

  it('is readable in every record', async () => {
    const harness = world();
    harness.simulator.failNext('export', { kind: 'status', status: 503 }, 3);
    await harness.submit({ data: smallJob() });
    await harness.submit({ data: smallJob({ jobKey: 'wrong' }, { priority: 1 }) });
    await harness.untilQuiet();
    const found = await harness.store.records.find({ where: [], orderBy: [] }, { limit: 10 });
    expect(found.map(isReadable)).toEqual([true, true]);
  });
});
