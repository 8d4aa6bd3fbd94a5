import { describe, expect, it } from 'vitest';

import { MINUTE_MS, SECOND_MS } from '../../shared/clock.ts';
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
 * The rules that keep the promise, each with what goes wrong without it. Every test was seen to fail with its rule taken
 * out of the product; what was taken out is said beside it.
 */

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

  // Taken out: stillOurs before another try; then each of the two that it looks at.
  it('sends nothing once the job was cancelled', async () => {
    const harness = world();
    const sender = sendSlowly(harness);
    await sender.asked;
    await cancel(harness);
    sender.fail(refusal('UNANSWERED', 503));
    await sender.submitted;
    expect(sender.posts()).toBe(1);
  });

  it('nor once it was taken over, whatever its clock says', async () => {
    const harness = world();
    const sender = sendSlowly(harness, (services) => {
      // It stands still with the process, and finds its lease as it was.
      const now = services.clock.now();
      return { ...services, clock: { ...services.clock, now: () => now } };
    });
    await sender.asked;
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

describe('rule 4: unanswered sends are remembered', () => {
  // Taken out: resume's search before it claims. EE has forgotten the id by then, and starts it again. Nothing but the
  // search is in time to see the first: an overdue claim goes before the sweep.
  it('a new claim’s send after an unanswered one is preceded by a search', async () => {
    const harness = world({ simulator: { settings: { forgetIdsAfterMs: 10 * SECOND_MS } } });
    const dying = faulty(harness, { step: 'ee.startExport', occurrence: 1, kind: 'crash after' });
    await expect(dying.submit({ data: smallJob() })).rejects.toThrow();
    await harness.untilQuiet();
    expect(harness.simulator.operations()).toHaveLength(1);
    expect((await theRecord(harness)).history.map(({ note }) => note)).toContain('adopted');
  });

  // Taken out: that WAITING with unanswered sends is searched for too (mayHaveUnknownOperation).
  it('also of a job that waits since, where no sweep came first', async () => {
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

  // Taken out: that a claim which ran out counts as an unanswered send (claimAgain).
  it('a claim that ran out has one by definition', async () => {
    const harness = world({ simulator: { settings: { listLagMs: T_MS } } });
    const dying = faulty(harness, { step: 'ee.startExport', occurrence: 1, kind: 'crash before' });
    await expect(dying.submit({ data: smallJob() })).rejects.toThrow();
    harness.simulator.failNext('export', { kind: 'status', status: 403, message: 'denied' });
    await pollFor(harness, 3 * MINUTE_MS);
    expect(await theRecord(harness)).toMatchObject({ state: 'WAITING', unanswered: 1 });
  });

  // Taken out: the counting of UNANSWERED answers in postUntilAnswered.
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
