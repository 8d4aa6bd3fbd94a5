import { describe, expect, it } from 'vitest';

import { MINUTE_MS, SECOND_MS } from '../../shared/clock.ts';
import { responseError } from '../../shared/earth-engine/errors.ts';
import { smallJob } from '../harness.ts';
import { sendSlowly } from './slow-sender.ts';

import {
  T_MS,
  world,
  theRecord,
  pollFor,
  faulty,
  refusal,
  startAtEarthEngine,
  cancel,
} from './rules-world.ts';

/**
 * The rules that keep the promise. Every test was seen to fail with its rule removed from the product; a comment says
 * what was removed.
 */

describe('rule 1: the service', () => {
  // Removed: asHolder's check of the token.
  it('drops what a sender decides after its claim was taken over', async () => {
    const harness = world();
    const sender = sendSlowly(harness);
    await sender.posted;
    harness.clock.advance(3 * MINUTE_MS);
    const taken = harness.instance((services) => ({
      ...services,
      earthEngine: {
        ...services.earthEngine,
        startExport: async () => {
          // While the second holder waits for Earth Engine, the first one gets a refusal.
          sender.fail(refusal('REFUSED', 400));
          await sender.submitted;
          throw refusal('UNANSWERED', 503);
        },
      },
    }));
    await taken.poll();
    expect(await theRecord(harness)).toMatchObject({ state: 'WAITING', waitingFor: 'SERVICE' });
  });

  // Removed: afterOperation for anyone but the holder.
  it('records an operation even if another process holds the claim', async () => {
    const harness = world({ simulator: { settings: { listLagMs: T_MS } } });
    const sender = sendSlowly(harness);
    await sender.posted;
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

describe('rule 2: the service', () => {
  // Removed: afterOperation's comparison of names, so another operation replaces the recorded one.
  it('never replaces the operation', async () => {
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

  // Removed: the bytes that giveUpId writes with the next generation.
  it('stores generation and bytes before they are sent', async () => {
    const harness = world({ simulator: { settings: { queueLimit: 1, useUpIdWhenFull: true } } });
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

describe('rule 3: a sender checks its own lease before each POST, and', () => {
  // Removed: both checks of the deadline, before the pause and before the POST.
  it('sends nothing after its deadline, quick retries included', async () => {
    const harness = world();
    const sender = sendSlowly(harness);
    await sender.posted;
    harness.clock.advance(61 * SECOND_MS);
    sender.fail(refusal('UNANSWERED', 504));
    await sender.submitted;
    expect(sender.posts()).toBe(1);
  });

  // Removed: leaseUntil in send, so that only the time for all tries limits it.
  it('sends nothing if its lease is over before the first POST', async () => {
    const harness = world();
    const paused = harness.instance((services) => {
      const { records } = services.store;
      const create: typeof records.create = async (...record) => {
        const created = await records.create(...record);
        harness.clock.advance(121 * SECOND_MS);
        return created;
      };
      return { ...services, store: { ...services.store, records: { ...records, create } } };
    });
    await paused.submit({ data: smallJob() });
    expect(harness.simulator.exportCalls).toHaveLength(0);
    expect(await theRecord(harness)).toMatchObject({ state: 'WAITING', unanswered: 0, submissions: 0 });
  });

  // Removed: mayStillSend before another try; then each of its two checks.
  it('sends nothing once the job was canceled', async () => {
    const harness = world();
    const sender = sendSlowly(harness);
    await sender.posted;
    await cancel(harness);
    sender.fail(refusal('UNANSWERED', 503));
    await sender.submitted;
    expect(sender.posts()).toBe(1);
  });

  it('sends nothing once its claim was taken over, even if its clock stands still', async () => {
    const harness = world();
    const sender = sendSlowly(harness, (services) => {
      // The process was paused with its clock, so the lease looks unchanged.
      const now = services.clock.now();
      return { ...services, clock: { ...services.clock, now: () => now } };
    });
    await sender.posted;
    harness.clock.advance(3 * MINUTE_MS);
    const taken = harness.instance((services) => ({
      ...services,
      earthEngine: {
        ...services.earthEngine,
        startExport: async () => {
          sender.fail(refusal('UNANSWERED', 503));
          await sender.submitted;
          throw refusal('UNANSWERED', 503);
        },
      },
    }));
    await taken.poll();
    expect(sender.posts()).toBe(1);
  });
});

describe('rule 4: an unanswered send', () => {
  // Removed: resume's search before it claims. Earth Engine has forgotten the id by then, and would start it again.
  // Only the search can find the first operation in time: an overdue claim is handled before the sweep.
  it('is searched for before a new claim sends', async () => {
    const harness = world({ simulator: { settings: { forgetIdsAfterMs: 10 * SECOND_MS } } });
    const dying = faulty(harness, { step: 'ee.startExport', occurrence: 1, kind: 'crash after' });
    await expect(dying.submit({ data: smallJob() })).rejects.toThrow();
    await harness.untilQuiet();
    expect(harness.simulator.operations()).toHaveLength(1);
    expect((await theRecord(harness)).history.map(({ note }) => note)).toContain('adopted');
  });

  // Removed: WAITING with unanswered sends from mayHaveUnknownOperation.
  it('is searched for in a waiting record too, even if no sweep came first', async () => {
    const harness = world({ simulator: { settings: { forgetIdsAfterMs: 10 * SECOND_MS } } });
    harness.simulator.failNext('export', { kind: 'lost' }, 3);
    await harness.submit({ data: smallJob() });
    expect(await theRecord(harness)).toMatchObject({
      state: 'WAITING',
      waitingFor: 'SERVICE',
      unanswered: 3,
    });
    harness.clock.advance(MINUTE_MS);
    await faulty(harness, { step: 'sweeps.get', occurrence: 1, kind: 'error' }).poll();
    expect(harness.simulator.operations()).toHaveLength(1);
    expect(await theRecord(harness)).toMatchObject({ operation: harness.simulator.operations()[0]?.name });
  });

  // Removed: the unanswered send that claimAgain counts for a claim that ran out.
  it('is assumed for a claim that ran out', async () => {
    const harness = world({ simulator: { settings: { listLagMs: T_MS } } });
    const dying = faulty(harness, { step: 'ee.startExport', occurrence: 1, kind: 'crash before' });
    await expect(dying.submit({ data: smallJob() })).rejects.toThrow();
    harness.simulator.failNext('export', { kind: 'status', status: 403, message: 'denied' });
    await pollFor(harness, 3 * MINUTE_MS);
    expect(await theRecord(harness)).toMatchObject({ state: 'WAITING', unanswered: 1 });
  });

  // Removed: fromGoogle in kindOf; then 499 there.
  it.each([
    ['a 499', 499, '{"error":{"code":499,"message":"The operation was cancelled.","status":"CANCELLED"}}'],
    ['a proxy’s 400', 400, '<html><title>Error 400 (Bad Request)!!1</title>'],
    ['a proxy’s 403', 403, '<html><title>403 Forbidden</title>'],
    ['a proxy’s 404', 404, '<html><title>Error 404 (Not Found)!!1</title>'],
    ['a 413 without a body', 413, ''],
  ])('is assumed for %s: the operation that started is recorded', async (_, httpStatus, body) => {
    const harness = world();
    const behindProxy = harness.instance((services) => ({
      ...services,
      earthEngine: {
        ...services.earthEngine,
        startExport: async (...call) => {
          await services.earthEngine.startExport(...call);
          const name = 'POST /v1/projects/demo-test/video:export';
          throw responseError({ kind: 'export', name }, { httpStatus, body, retryAfter: null }, new Date());
        },
      },
    }));
    await behindProxy.submit({ data: smallJob() });
    expect(await theRecord(harness)).toMatchObject({ state: 'WAITING', unanswered: 3 });
    await pollFor(harness, MINUTE_MS);
    expect(await theRecord(harness)).toMatchObject({ operation: harness.simulator.operations()[0]?.name });
  });

  // Removed: the counting of UNANSWERED answers in postUntilAnswered.
  it('includes a request in flight at SIGTERM', async () => {
    const harness = world();
    const stopping = new AbortController();
    const sender = sendSlowly(harness, (services) => ({ ...services, stopping: stopping.signal }));
    await sender.posted;
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
  // Removed: complete() stops after the first page.
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

  // Removed: the `$` of the marker's pattern.
  it('never matches a marker that is not at the end', async () => {
    const harness = world({ simulator: { settings: { runMs: [1e9, 1e9] } } });
    harness.simulator.failNext('export', { kind: 'status', status: 503 }, 3);
    await harness.submit({ data: smallJob() });
    const { requestId } = await theRecord(harness);
    await startAtEarthEngine(harness, 'other-user', `copy_${requestId}_of-it`);
    await pollFor(harness, 2 * MINUTE_MS);
    const own = harness.simulator.operations().find((each) => each.requestId === requestId);
    expect(await theRecord(harness)).toMatchObject({ operation: own?.name ?? 'none was started' });
  });

  // Removed: inconclusive in afterEmptySearch. More: inconclusive-lists.test.ts.
  it('gives up no id if Earth Engine drops the marker', async () => {
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

  // Removed: sentUntil in adopt, so that the list that the sweep began before the send was searched.
  it('for an ID that is refused starts after the send that may have started its operation', async () => {
    const harness = world();
    harness.simulator.failNext('export', { kind: 'status', status: 403, message: 'denied' });
    await harness.submit({ data: smallJob() });
    // Another job keeps the sweep reading the list.
    harness.clock.advance(1);
    await harness.submit({ data: smallJob({ jobKey: 'other' }) });
    harness.clock.advance(20 * MINUTE_MS);
    const message = 'A different Operation was already started with the given request_id';
    harness.simulator.failNext('export', { kind: 'lost' });
    harness.simulator.failNext('export', { kind: 'status', status: 400, message });
    const poller = harness.instance((services) => ({
      ...services,
      earthEngine: {
        ...services.earthEngine,
        startExport: (...call) => {
          harness.clock.advance(SECOND_MS);
          return services.earthEngine.startExport(...call);
        },
      },
    }));
    await poller.poll();
    expect(await theRecord(harness)).toMatchObject({ operation: harness.simulator.operations()[1]?.name });
  });

  // Removed: the listings that adopt and searchFor share (a new one for each).
  it('shares one listing with the sweep and the other searches of a run', async () => {
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

describe('rule 6: giving up an id', () => {
  // Removed: mayGiveUpId's shortcut for ids whose every send was answered.
  it('happens at once if every send was answered', async () => {
    const harness = world({ simulator: { settings: { queueLimit: 1, useUpIdWhenFull: true } } });
    harness.simulator.setOthers('demo-test', { pending: 1 });
    await harness.submit({ data: smallJob() });
    harness.simulator.setOthers('demo-test', { pending: 0 });
    harness.clock.advance(MINUTE_MS);
    await harness.poll();
    const record = await theRecord(harness);
    expect(record).toMatchObject({ state: 'PENDING', requestId: expect.stringMatching(/-g2$/) });
    expect(record.history.map(({ note }) => note)).toContainEqual(expect.stringContaining('is used up'));
  });

  // Removed: isProvenAbsent in mayGiveUpId. Earth Engine refuses while it works on the first request, which is not
  // listed yet.
  it('otherwise takes two searches, T apart, with a refusal in between', async () => {
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

  // Removed: refusedAt in mayGiveUpId.
  it('never happens without a refusal', async () => {
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

describe('rule 7: a job is REJECTED only if no send is unanswered:', () => {
  // Removed: isProvenAbsent in giveBack.
  it('a refusal after a lost answer does not end a job that is running', async () => {
    const harness = world({ simulator: { settings: { listLagMs: 100 * SECOND_MS } } });
    harness.simulator.failNext('export', { kind: 'lost' });
    harness.simulator.failNext('export', { kind: 'status', status: 400, message: 'no such thing' });
    await harness.submit({ data: smallJob() });
    expect(await theRecord(harness)).toMatchObject({ state: 'WAITING', rejecting: true });
    await harness.untilQuiet();
    expect((await theRecord(harness)).state).toBe('SUCCEEDED');
  });

  // Removed: searches: undefined for an unanswered send in postUntilAnswered.
  it('an unanswered send after the first search restarts the count', async () => {
    const harness = world();
    harness.simulator.failNext('export', { kind: 'reset' }, 3);
    await harness.submit({ data: smallJob() });
    // Each poll searches first, then sends without an answer.
    harness.simulator.failNext('export', { kind: 'reset' }, 1000);
    await pollFor(harness, 2 * T_MS);
    await cancel(harness);
    await pollFor(harness, T_MS - MINUTE_MS);
    expect((await theRecord(harness)).state).toBe('WAITING');
    await pollFor(harness, 3 * MINUTE_MS);
    expect((await theRecord(harness)).state).toBe('CANCELLED');
  });

  it('two searches T apart end it', async () => {
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
