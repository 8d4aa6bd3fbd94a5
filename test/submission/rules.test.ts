import { describe, expect, it } from 'vitest';

import { MINUTE_MS, SECOND_MS } from '../../shared/clock.ts';
import { EarthEngineError } from '../../shared/earth-engine-api.ts';
import { parseRequestId } from '../../shared/message/identity.ts';
import { policyOf } from '../../shared/record/policy.ts';
import type { ExportRecord } from '../../shared/record/record.ts';
import { cancelUnseen, requestCancellation } from '../../shared/record/transitions.ts';
import { settle } from '../../shared/record/write.ts';
import type { Services } from '../../shared/services.ts';
import { isReadable } from '../../shared/store/store.ts';
import {
  createHarness,
  type Harness,
  type HarnessOptions,
  simulatedEarthEngine,
  smallJob,
} from '../harness.ts';
import { createFaultyProcess, type Fault } from './faults.ts';
import { sendSlowly } from './slow-sender.ts';

/**
 * The rules that keep the promise, each with what goes wrong without it. Every test was seen to fail with its rule taken
 * out of the product; what was taken out is said beside it.
 */

/** T is 240 s with these. */
const environment = { RETRY_MAX_SECONDS: '240', POLL_MAX_SECONDS: '600' };
const T_MS = 240 * SECOND_MS;

const world = (options: HarnessOptions = {}): Harness =>
  createHarness({ ...options, environment: { ...environment, ...options.environment } });

async function theRecord(harness: Harness): Promise<ExportRecord> {
  const [stored] = await harness.records();
  if (!stored) {
    throw new Error('there is no record');
  }
  return stored.value;
}

/** Polls every minute for so long. */
async function pollFor(harness: Harness, ms: number): Promise<void> {
  for (let passed = 0; passed < ms; passed += MINUTE_MS) {
    harness.clock.advance(MINUTE_MS);
    await harness.poll();
  }
}

const faulty = (harness: Harness, fault: Fault) =>
  harness.instance((services) => createFaultyProcess(harness.clock, fault).wrap(services));

const refusal = (kind: 'REFUSED' | 'UNANSWERED', httpStatus: number): EarthEngineError =>
  new EarthEngineError(kind, { message: kind, httpStatus, status: kind, reply: kind });

/** An operation that somebody starts at EE under a marker, without the service. */
async function startAtEarthEngine(harness: Harness, requestId: string, description: string): Promise<void> {
  const { request } = smallJob() as { request: object };
  const body = Buffer.from(JSON.stringify({ ...request, requestId, description }));
  const path = '/v1/projects/demo-test/video:export';
  await harness.simulator.handle({ method: 'POST', path, headers: {}, body });
}

async function cancel(harness: Harness): Promise<void> {
  const [stored] = await harness.records();
  if (stored) {
    await settle(harness.services, stored, (record) => requestCancellation(record, harness.clock.now()));
  }
}

const eventKinds = (harness: Harness): string[] =>
  harness.publisher.published.map(
    ({ message }) => `${message.attributes['kind']} ${message.attributes['state']}`,
  );

describe('rule 1: fence', () => {
  // Taken out: asHolder decides for every SUBMITTING record, whoever holds it.
  it('what a sender decides after its claim was taken over is not written', async () => {
    const harness = world();
    const sender = sendSlowly(harness);
    await sender.asked;
    harness.clock.advance(3 * MINUTE_MS);
    const taken = harness.instance((services) => ({
      ...services,
      earthEngine: {
        ...services.earthEngine,
        startExport: async () => {
          // While the second holder waits for EE, the first hears that the job is wrong.
          sender.fail(refusal('REFUSED', 400));
          await sender.submitted;
          throw refusal('UNANSWERED', 503);
        },
      },
    }));
    await taken.poll();
    expect(await theRecord(harness)).toMatchObject({ state: 'WAITING', waitingFor: 'SERVICE' });
  });

  // Taken out: afterOperation records an operation only for the holder.
  it('that an operation exists is recorded, whoever holds the claim', async () => {
    const harness = world({ simulator: { settings: { listLagMs: T_MS } } });
    const sender = sendSlowly(harness);
    await sender.asked;
    const operation = await sender.arrive();
    harness.simulator.failNext('export', { kind: 'status', status: 503 }, 3);
    harness.clock.advance(3 * MINUTE_MS);
    await harness.poll();
    expect((await theRecord(harness)).state).toBe('WAITING');
    sender.answer(operation);
    await sender.submitted;
    expect(await theRecord(harness)).toMatchObject({ state: 'PENDING', operation: operation.name });
  });
});

describe('rule 2: recording an operation ends the claim', () => {
  // Taken out: afterOperation's comparison of names, so that another operation takes the place of the recorded one.
  it('the operation is never replaced', async () => {
    const harness = world();
    await harness.submit({ data: smallJob() });
    const first = await theRecord(harness);
    await startAtEarthEngine(harness, `${first.requestId}-g2`, `small_${first.requestId}-g2`);
    await pollFor(harness, MINUTE_MS);
    expect(await theRecord(harness)).toMatchObject({ operation: expect.stringContaining('/') });
    expect('operation' in first && first.operation).toBe(
      ((await theRecord(harness)) as { operation?: string }).operation,
    );
  });

  // Taken out: the bytes that settle writes with the next generation.
  it('generation and bytes are stored before they are sent', async () => {
    const harness = world({ simulator: { settings: { queueLimit: 1, burnIdsWhenFull: true } } });
    harness.simulator.setOthers('demo-test', { pending: 1 });
    const sent: { id: string | undefined; stored: boolean }[] = [];
    const watched = harness.instance((services) => ({
      ...services,
      earthEngine: {
        ...services.earthEngine,
        startExport: async (project, request, options) => {
          const [stored] = await harness.records();
          const bytes = await services.store.records.readRequest(stored?.id ?? '');
          sent.push({ id: stored?.value.requestId, stored: Buffer.from(bytes).equals(request) });
          return services.earthEngine.startExport(project, request, options);
        },
      },
    }));
    await watched.submit({ data: smallJob() });
    harness.simulator.setOthers('demo-test', { pending: 0 });
    for (let polls = 0; polls < 10; polls += 1) {
      harness.clock.advance(MINUTE_MS);
      await watched.poll();
    }
    expect(sent.map(({ stored }) => stored)).toEqual([true, true, true]);
    expect(sent.at(-1)?.id).toMatch(/-g2$/);
  });
});

describe('rule 3: a sender looks at its own lease before each POST', () => {
  // Taken out: both looks at the deadline, before the pause and before the POST.
  it('sends nothing after its time, the quick retries included', async () => {
    const harness = world();
    const sender = sendSlowly(harness);
    await sender.asked;
    harness.clock.advance(61 * SECOND_MS);
    sender.fail(refusal('UNANSWERED', 504));
    await sender.submitted;
    expect(sender.posts()).toBe(1);
  });

  // Taken out: stillOurs before another try.
  it('sends nothing once the job was cancelled or taken over', async () => {
    const harness = world();
    const sender = sendSlowly(harness);
    await sender.asked;
    await cancel(harness);
    sender.fail(refusal('UNANSWERED', 503));
    await sender.submitted;
    expect(sender.posts()).toBe(1);
  });
});

describe('rule 4: unanswered sends are remembered', () => {
  // Taken out: resume's search before it claims. EE has forgotten the id by then, and starts it again.
  it('a new claim’s send after an unanswered one is preceded by a search', async () => {
    const harness = world({ simulator: { settings: { forgetIdsAfterMs: 10 * SECOND_MS } } });
    harness.simulator.failNext('export', { kind: 'lost' }, 3);
    await harness.submit({ data: smallJob() });
    expect(await theRecord(harness)).toMatchObject({
      state: 'WAITING',
      waitingFor: 'SERVICE',
      unanswered: 3,
    });
    await harness.untilQuiet();
    expect(harness.simulator.operations()).toHaveLength(1);
    expect((await theRecord(harness)).history.map(({ note }) => note)).toContain('adopted by the sweep');
  });

  // Taken out: that a claim which ran out counts as an unanswered send (claimAgain).
  it('a claim that ran out has one by definition', async () => {
    const harness = world({ simulator: { settings: { listLagMs: T_MS } } });
    const dying = faulty(harness, { step: 'ee.startExport', occurrence: 1, kind: 'crash before' });
    await expect(dying.submit({ data: smallJob() })).rejects.toThrow();
    harness.simulator.failNext('export', { kind: 'status', status: 403, message: 'denied' });
    await pollFor(harness, 3 * MINUTE_MS);
    expect(await theRecord(harness)).toMatchObject({ state: 'WAITING', unanswered: 1 });
  });

  // Taken out: the counting of UNANSWERED answers in trySending.
  it('so has a hand-over at SIGTERM with a request in flight', async () => {
    const harness = world();
    const stopping = new AbortController();
    const sender = sendSlowly(harness, (services) => ({ ...services, stopping: stopping.signal }));
    await sender.asked;
    stopping.abort(new Error('the process is stopping'));
    sender.fail(refusal('UNANSWERED', 504));
    await sender.submitted;
    expect(await theRecord(harness)).toMatchObject({
      state: 'WAITING',
      unanswered: 1,
      dueAt: harness.clock.now(),
    });
  });
});

describe('rule 5: a search', () => {
  // Taken out: complete() stops after the first page.
  it('reads every page', async () => {
    const settings = { listOrder: 'oldest', forgetIdsAfterMs: 10 * SECOND_MS } as const;
    const harness = world({ simulator: { settings } });
    harness.simulator.setOthers('demo-test', { ended: 1200 });
    harness.simulator.failNext('export', { kind: 'lost' }, 3);
    await harness.submit({ data: smallJob() });
    await pollFor(harness, MINUTE_MS);
    expect(harness.simulator.operations()).toHaveLength(1);
    expect(await theRecord(harness)).toMatchObject({ operation: harness.simulator.operations()[0]?.name });
  });

  // Taken out: the `$` of the marker's pattern.
  it('never matches a marker that is not at the end', async () => {
    const harness = world({ simulator: { settings: { runMs: [1e9, 1e9] } } });
    harness.simulator.failNext('export', { kind: 'status', status: 503 }, 3);
    await harness.submit({ data: smallJob() });
    const { requestId } = await theRecord(harness);
    await startAtEarthEngine(harness, 'somebody-else', `copy_${requestId}_of-it`);
    await pollFor(harness, 2 * MINUTE_MS);
    const own = harness.simulator.operations().find((each) => each.requestId === requestId);
    expect(await theRecord(harness)).toMatchObject({ operation: own?.name ?? 'none was started' });
  });

  // Taken out: mayGiveUp's look at markerMissingAt.
  it('gives no id up where EE does not echo the marker', async () => {
    const harness = world({ simulator: { settings: { omitDescription: true } } });
    await harness.submit({ data: smallJob({ jobKey: 'seen without a marker' }) });
    const different = {
      kind: 'status',
      status: 400,
      message: 'A different Operation was already started with the given request_id',
    } as const;
    harness.simulator.failNext('export', { kind: 'lost' });
    harness.simulator.failNext('export', different, 1000);
    await harness.submit({ data: smallJob({ jobKey: 'refused' }) });
    await pollFor(harness, 3 * T_MS);
    expect(harness.simulator.exportCalls.every((call) => !call.requestId?.includes('-g2'))).toBe(true);
    expect(harness.simulator.operations()).toHaveLength(2);
  });

  // Taken out: that adopt() and searchFor() ask for a listing of the run (a new one for each).
  it('one listing serves every search of a run, and the sweep', async () => {
    const harness = world();
    harness.simulator.failNext('export', { kind: 'status', status: 503 }, 30);
    for (let job = 0; job < 10; job += 1) {
      await harness.submit({ data: smallJob({ jobKey: `job ${job}` }) });
    }
    harness.clock.advance(MINUTE_MS);
    const { calls, submitted } = await harness.poll();
    expect({ submitted, lists: calls.list }).toEqual({ submitted: 10, lists: 1 });
  });
});

describe('rule 6: giving an id up', () => {
  // Taken out: mayGiveUpId's «at once» for ids whose every send was answered.
  it('at once where every send was answered: the id is burnt', async () => {
    const harness = world({ simulator: { settings: { queueLimit: 1, burnIdsWhenFull: true } } });
    harness.simulator.setOthers('demo-test', { pending: 1 });
    await harness.submit({ data: smallJob() });
    harness.simulator.setOthers('demo-test', { pending: 0 });
    harness.clock.advance(MINUTE_MS);
    await harness.poll();
    const record = await theRecord(harness);
    expect(record).toMatchObject({ state: 'PENDING', requestId: expect.stringMatching(/-g2$/) });
    expect(record.history.map(({ note }) => note)).toContainEqual(expect.stringContaining('is burnt'));
  });

  // Taken out: isProvenAbsent in mayGiveUpId. EE refuses while it works on the first, which is not listed yet.
  it('otherwise only after two searches, T apart, with a refusal in between', async () => {
    const harness = world();
    const held = harness.simulator.holdNext('RESET');
    harness.simulator.failNext('list', { kind: 'slow', ms: 0 });
    const different = {
      kind: 'status',
      status: 400,
      message: 'A different Operation was already started with the given request_id',
    } as const;
    const sender = harness.submit({ data: smallJob() });
    await held.caught;
    harness.simulator.failNext('export', different, 6);
    await sender;
    await pollFor(harness, T_MS - MINUTE_MS);
    await held.release();
    await harness.untilQuiet();
    expect(harness.simulator.operations()).toHaveLength(1);
    expect((await theRecord(harness)).requestId).not.toMatch(/-g2$/);
  });

  // Taken out: refusedAt in mayGiveUpId.
  it('never where EE did not refuse it', async () => {
    const harness = world();
    harness.simulator.failNext('export', { kind: 'reset' }, 3);
    await harness.submit({ data: smallJob() });
    harness.simulator.failNext('export', { kind: 'status', status: 403, message: 'denied' }, 3);
    await harness.untilQuiet();
    expect(harness.simulator.exportCalls.map(({ outcome }) => outcome)).toEqual([
      ...Array<string>(6).fill('FAULT'),
      'STARTED',
    ]);
    expect((await theRecord(harness)).requestId).not.toMatch(/-g2$/);
  });
});

describe('rule 7: REJECTED only when no send is unanswered', () => {
  // Taken out: isProvenAbsent in giveBack.
  it('a refusal after a lost answer does not end a job that EE runs', async () => {
    const harness = world({ simulator: { settings: { listLagMs: 100 * SECOND_MS } } });
    harness.simulator.failNext('export', { kind: 'lost' });
    harness.simulator.failNext('export', { kind: 'status', status: 400, message: 'no such thing' });
    await harness.submit({ data: smallJob() });
    expect(await theRecord(harness)).toMatchObject({ state: 'WAITING', rejecting: true });
    await harness.untilQuiet();
    expect((await theRecord(harness)).state).toBe('SUCCEEDED');
  });

  it('two searches T apart end it otherwise', async () => {
    const harness = world();
    harness.simulator.failNext('export', { kind: 'reset' });
    harness.simulator.failNext('export', { kind: 'status', status: 400, message: 'no such thing' });
    await harness.submit({ data: smallJob() });
    await pollFor(harness, T_MS - MINUTE_MS);
    expect((await theRecord(harness)).state).toBe('WAITING');
    await pollFor(harness, 3 * MINUTE_MS);
    expect(await theRecord(harness)).toMatchObject({
      state: 'REJECTED',
      error: { message: 'no such thing' },
    });
    expect(harness.simulator.operations()).toHaveLength(0);
  });
});

describe('rule 8: cancellation', () => {
  // Taken out: the search for a cancelled record with unanswered sends (giveBack cancels at once).
  it('of a job with an unanswered send waits for the search, and cancels what it finds at EE', async () => {
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

  // Taken out: holdBack in send.
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

  // Taken out: the dueAt and waitingFor of requestCancellation.
  it('does not wait behind a closed gate', async () => {
    const harness = world();
    harness.simulator.failNext('export', { kind: 'reset' });
    harness.simulator.failNext('export', { kind: 'status', status: 429 }, 1000);
    await harness.submit({ data: smallJob() });
    expect(await theRecord(harness)).toMatchObject({ waitingFor: 'RATE', unanswered: 1 });
    // One that goes before it finds the gate closed each time.
    await harness.submit({ data: smallJob({ jobKey: 'urgent' }, { priority: 9000 }) });
    await cancel(harness);
    await pollFor(harness, T_MS + 2 * MINUTE_MS);
    expect((await theRecord(harness)).state).toBe('CANCELLED');
  });

  // Taken out: the cancelling in noteOperation.
  it('whoever records an operation of a cancelled job cancels it at EE', async () => {
    const harness = world({ simulator: { settings: { runMs: [1e7, 1e7] } } });
    const sender = sendSlowly(harness);
    await sender.asked;
    await cancel(harness);
    sender.answer(await sender.arrive());
    await sender.submitted;
    expect(harness.simulator.operations()).toMatchObject([{ cancelRequested: true }]);
    await harness.untilQuiet();
    expect((await theRecord(harness)).state).toBe('CANCELLED');
  });

  // Taken out: submit's look at the record that stands there.
  it('of a job that has no record yet makes one, which the claim then finds', async () => {
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

describe('rule 9: extra operations', () => {
  async function withExtra(requestIdOfExtra: (own: string) => string): Promise<Harness> {
    const harness = world({
      simulator: { settings: { queueLimit: 1, burnIdsWhenFull: true, runMs: [1e6, 1e6] } },
    });
    harness.simulator.setOthers('demo-test', { pending: 1 });
    await harness.submit({ data: smallJob() });
    harness.simulator.set({ queueLimit: 100 });
    harness.simulator.setOthers('demo-test', { pending: 0 });
    await pollFor(harness, 2 * MINUTE_MS);
    const { requestId } = await theRecord(harness);
    expect(requestId).toMatch(/-g2$/);
    const extra = requestIdOfExtra(requestId);
    // Under an id of its own, as a request that EE took long ago.
    await startAtEarthEngine(harness, `late-${extra}`, `small_${extra}`);
    await pollFor(harness, 2 * MINUTE_MS);
    return harness;
  }

  // Taken out: the extra's cancelling; then its being looked up while PENDING; then its event.
  it('another generation’s is noted, told, logged and cancelled', async () => {
    const harness = await withExtra((own) => own.replace('-g2', ''));
    expect(await theRecord(harness)).toMatchObject({ extraOperations: [{ cancelledAt: expect.any(Date) }] });
    expect(eventKinds(harness)).toContainEqual(expect.stringContaining('EXTRA_OPERATION'));
    expect(harness.logged).toContainEqual(
      expect.objectContaining({ event: 'record.extra_operation', severity: 'WARNING' }),
    );
    expect(harness.simulator.operations().map((each) => each.cancelRequested)).toEqual([false, true]);
  });

  // Taken out: isOursToCancel's comparison with the record's own id; then with the generations that were sent.
  it.each([
    ['the same id', (own: string) => own],
    ['a generation that was never sent', (own: string) => own.replace('-g2', '-g7')],
  ])('one of %s is only told of', async (_, extraId) => {
    const harness = await withExtra(extraId);
    expect((await theRecord(harness)).extraOperations).toHaveLength(1);
    expect(eventKinds(harness)).toContainEqual(expect.stringContaining('EXTRA_OPERATION'));
    expect(harness.simulator.operations().map((each) => each.cancelRequested)).toEqual([false, false]);
  });

  // Taken out: the count of unanswered sends in sweepProject.
  it('the sweep adopts for a record that has none, also where all records of a project only wait', async () => {
    const harness = world();
    harness.simulator.failNext('export', { kind: 'lost' }, 3);
    await harness.submit({ data: smallJob() });
    await harness.poll();
    const record = await theRecord(harness);
    expect(record).toMatchObject({ operation: harness.simulator.operations()[0]?.name });
    expect(record.history.at(-1)?.note).toBe('adopted by the sweep');
  });
});

describe('rule 10: LOST', () => {
  // Taken out: T in isLostOn404.
  it('only after two 404s at least T apart', async () => {
    const harness = world({ simulator: { settings: { runMs: [1e7, 1e7] } } });
    // With so many other operations in the list, ours is asked for by itself.
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

  // Taken out: listedSinceMissing.
  it('never while a list has it', async () => {
    const harness = world({ simulator: { settings: { runMs: [1e7, 1e7] } } });
    harness.simulator.setOthers('demo-test', { ended: 1200 });
    await harness.submit({ data: smallJob() });
    harness.simulator.failNext('get', { kind: 'status', status: 404, message: 'Operation not found.' }, 1000);
    await pollFor(harness, 60 * MINUTE_MS);
    expect((await theRecord(harness)).state).toBe('RUNNING');
  });
});

describe('rule 11: another service account', () => {
  // Taken out: that the record stays the first account's until absence is proven (claimAgain).
  it('sends nothing while the first one’s send may still start an operation', async () => {
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
  // Taken out: dueAtOnce.
  it('falls due at once', async () => {
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
    harness.simulator.failNext('export', { kind: 'status', status: 429 });
    for (let job = 0; job < jobs; job += 1) {
      await harness.submit({ data: smallJob({ jobKey: `job ${job}` }) });
    }
    expect((await harness.records()).map(({ value }) => value.state)).toEqual(Array(jobs).fill('WAITING'));
    return harness;
  }

  // Taken out: leaseUntil of the probe in startFeeding.
  it('is leased: a dead prober holds the gate shut for one lease at most', async () => {
    const harness = await behindAClosedGate(3);
    harness.clock.advance(MINUTE_MS);
    await faulty(harness, { step: 'records.readRequest', occurrence: 1, kind: 'crash before' })
      .poll()
      .catch(() => undefined);
    expect(harness.simulator.operations()).toHaveLength(0);
    await pollFor(harness, 4 * MINUTE_MS);
    expect(harness.simulator.operations()).toHaveLength(3);
  });

  // Taken out: the next probe after one whose job itself was the matter (concludeProbe).
  it('is not held shut by one poisonous record', async () => {
    const harness = await behindAClosedGate(3);
    harness.clock.advance(MINUTE_MS);
    harness.simulator.failNext('export', { kind: 'status', status: 400, message: 'poison' });
    await harness.poll();
    expect(harness.simulator.operations()).toHaveLength(2);
  });

  // Taken out: the query of their own (overdueSubmitting after dueWaiting).
  it('overdue claims never wait behind waiting records', async () => {
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
  it('says what was decided and why', async () => {
    const harness = world();
    const dying = faulty(harness, { step: 'ee.startExport', occurrence: 1, kind: 'crash before' });
    await expect(dying.submit({ data: smallJob() })).rejects.toThrow();
    harness.simulator.failNext('export', { kind: 'status', status: 503, message: 'maintenance' }, 3);
    await harness.untilQuiet();
    const told = (await theRecord(harness)).history.map(({ state, note }) =>
      note ? `${state}: ${note}` : state,
    );
    expect(told).toEqual([
      'SUBMITTING',
      'SUBMITTING: its claim ran out',
      'WAITING: SERVICE: maintenance',
      'SUBMITTING',
      'PENDING',
      'SUCCEEDED',
    ]);
  });

  it('can be read whoever wrote it', async () => {
    const harness = world();
    await harness.submit({ data: smallJob() });
    expect((await harness.records()).every(isReadable)).toBe(true);
  });
});
