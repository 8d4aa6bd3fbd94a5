import { describe, expect, it } from 'vitest';

import { cancelExports } from '../../shared/cancellation/cancel-exports.ts';
import { HOUR_MS, MINUTE_MS } from '../../shared/clock.ts';
import type { EarthEngine, Operation } from '../../shared/earth-engine/api.ts';
import { UnreadableError } from '../../shared/errors.ts';
import type { Services } from '../../shared/services.ts';
import { envelopeOf, type Harness, simulatedEarthEngine, smallJob } from '../harness.ts';
import { eventKinds, refusal, T_MS, theRecord, world } from './rules-world.ts';

/** What no proof can end within SUBMIT_DEADLINE_HOURS ends as LOST, and a job whose bytes are damaged ends too. */

const running = { pendingMs: 0, startsPerSecond: 100, runMs: [1e12, 1e12] } as const;
const tokens = { 'a@demo': 'a@demo', 'b@demo': 'b@demo' };
/** Lists never show our operations, and show that they hide something. */
const settings = { ...running, omitDescription: true };

interface Polls {
  poll(): Promise<unknown>;
}

async function pollFor(harness: Harness, process: Polls, ms: number, stepMs = 30 * MINUTE_MS): Promise<void> {
  for (let passed = 0; passed < ms; passed += stepMs) {
    harness.clock.advance(stepMs);
    await process.poll();
  }
}

const cancelJob = (harness: Harness) =>
  cancelExports(harness.services, envelopeOf({ data: { jobKey: 'test/1' } }));

const changed = (harness: Harness, change: (earthEngine: EarthEngine) => Partial<EarthEngine>) =>
  harness.instance((services) => ({
    ...services,
    earthEngine: { ...services.earthEngine, ...change(services.earthEngine) },
  }));

describe('an unanswered send of which nothing proves whether it started an operation', () => {
  const different = 'A different Operation was already started with the given request_id';
  const situations: readonly (readonly [string, (harness: Harness) => Promise<Polls>])[] = [
    [
      'a canceled job',
      async (harness) => {
        harness.simulator.failNext('export', { kind: 'lost' }, 3);
        await harness.submit({ data: smallJob() });
        await cancelJob(harness);
        return harness;
      },
    ],
    [
      'a refused job',
      async (harness) => {
        harness.simulator.failNext('export', { kind: 'lost' });
        harness.simulator.failNext('export', { kind: 'status', status: 400, message: 'no such thing' });
        await harness.submit({ data: smallJob() });
        return harness;
      },
    ],
    [
      'a job that another account sent',
      async (harness) => {
        harness.simulator.set({ tokens });
        const as = (account: string) =>
          harness.instance((services: Services) => ({
            ...services,
            earthEngine: simulatedEarthEngine(harness.simulator, harness.clock, account),
          }));
        harness.simulator.failNext('export', { kind: 'lost' }, 3);
        await as('a@demo').submit({ data: smallJob() });
        return as('b@demo');
      },
    ],
    [
      'a job whose ID is refused',
      async (harness) => {
        harness.simulator.failNext('export', { kind: 'lost' });
        harness.simulator.failNext('export', { kind: 'status', status: 400, message: different }, 10_000);
        await harness.submit({ data: smallJob() });
        return harness;
      },
    ],
    [
      'a canceled job of a project whose lists fail',
      async (harness) => {
        harness.simulator.failNext('export', { kind: 'lost' }, 3);
        await harness.submit({ data: smallJob() });
        await cancelJob(harness);
        return changed(harness, () => ({
          listOperations: async () => {
            throw refusal('UNANSWERED', 503);
          },
        }));
      },
    ],
  ];

  // Removed: isUnsettledTooLong in giveBack. Each then waited forever.
  it.each(situations)('%s is LOST after SUBMIT_DEADLINE_HOURS, with what to check', async (_, begin) => {
    const harness = world({ simulator: { settings } });
    const process = await begin(harness);
    await pollFor(harness, process, 71 * HOUR_MS);
    expect((await theRecord(harness)).state).toBe('WAITING');
    await pollFor(harness, process, 3 * HOUR_MS);
    const record = await theRecord(harness);
    expect(record).toMatchObject({ state: 'LOST', error: { status: 'OUTCOME_UNKNOWN', retryable: true } });
    expect(record).not.toHaveProperty('operation');
    const { message } = (record as { error: { message: string } }).error;
    expect(message).toContain(record.requestId);
    expect(message).toContain('gs://my-bucket/small');
    expect(eventKinds(harness).at(-1)).toBe('STATE LOST');
  });

  it('counts as lost in the summary of the poll', async () => {
    const harness = world({ environment: { SUBMIT_DEADLINE_HOURS: '0.1' }, simulator: { settings } });
    harness.simulator.failNext('export', { kind: 'lost' }, 3);
    await harness.submit({ data: smallJob() });
    await cancelJob(harness);
    let lost = 0;
    for (let polls = 0; polls < 20; polls += 1) {
      harness.clock.advance(MINUTE_MS);
      lost += (await harness.poll()).lost;
    }
    expect(lost).toBe(1);
  });

  // Removed: cancelRequestedAt in isOursToCancel.
  it('is canceled if it turns up after all, because the job was canceled', async () => {
    const harness = world({ environment: { SUBMIT_DEADLINE_HOURS: '1' }, simulator: { settings } });
    harness.simulator.failNext('export', { kind: 'lost' }, 3);
    await harness.submit({ data: smallJob() });
    // Another job keeps the project's list in use.
    await harness.submit({ data: smallJob({ jobKey: 'other' }) });
    await cancelJob(harness);
    await pollFor(harness, harness, 3 * HOUR_MS, 10 * MINUTE_MS);
    expect((await theRecord(harness)).state).toBe('LOST');
    const found = changed(harness, (earthEngine) => ({
      listOperations: async (...call) => {
        const page = await earthEngine.listOperations(...call);
        const descriptions = new Map(
          harness.simulator.operations().map(({ name, description }) => [name, description]),
        );
        const described = (each: Operation): Operation => ({
          ...each,
          description: descriptions.get(each.name),
        });
        return { ...page, operations: page.operations.map(described) };
      },
    }));
    await pollFor(harness, found, 3 * HOUR_MS, 10 * MINUTE_MS);
    expect(await theRecord(harness)).toMatchObject({
      state: 'LOST',
      extraOperations: [{ cancelledAt: expect.any(Date) }],
    });
    expect(harness.simulator.operations()[0]).toMatchObject({ cancelRequested: true });
  });

  // Removed: the time for the second search in isUnsettledTooLong.
  it('is not lost while the second search can still prove that none started', async () => {
    const harness = world({ environment: { SUBMIT_DEADLINE_HOURS: '1' }, simulator: { settings: running } });
    harness.simulator.failNext('export', { kind: 'reset' }, 3);
    await harness.submit({ data: smallJob() });
    await cancelJob(harness);
    let isDown = true;
    const poller = changed(harness, (earthEngine) => ({
      listOperations: async (...call) => {
        if (isDown) {
          throw refusal('UNANSWERED', 503);
        }
        return earthEngine.listOperations(...call);
      },
    }));
    await pollFor(harness, poller, 50 * MINUTE_MS, MINUTE_MS);
    expect((await theRecord(harness)).state).toBe('WAITING');
    // The service pauses until the deadline is over.
    isDown = false;
    harness.clock.advance(HOUR_MS);
    await pollFor(harness, poller, T_MS + 2 * MINUTE_MS, MINUTE_MS);
    expect((await theRecord(harness)).state).toBe('CANCELLED');
  });
});

describe('a job whose ID is used up while MAX_ACTIVE_OPERATIONS is reached', () => {
  const different = 'A different Operation was already started with the given request_id';

  /** The first send of a job is not answered, and the second one is refused. Then another operation takes the slot. */
  async function behindAFullSlot() {
    const environment = { SUBMIT_DEADLINE_HOURS: '4', MAX_ACTIVE_OPERATIONS: '1' };
    const harness = world({ environment, simulator: { settings: running } });
    harness.simulator.failNext('export', { kind: 'reset' });
    harness.simulator.failNext('export', { kind: 'status', status: 400, message: different });
    await harness.submit({ data: smallJob({ jobKey: 'waits' }) });
    // What an instance knows about the slots is a few seconds old.
    harness.clock.advance(20_000);
    await harness.submit({ data: smallJob({ jobKey: 'other' }) });
    const waits = async () => (await harness.records()).find(({ value }) => value.jobKey === 'waits')?.value;
    const freeSlot = () => cancelExports(harness.services, envelopeOf({ data: { jobKey: 'other' } }));
    expect(harness.simulator.operations()).toHaveLength(1);
    expect(await waits()).toMatchObject({ state: 'WAITING', waitingFor: 'ADOPTION', unanswered: 1 });
    return { harness, waits, freeSlot };
  }

  // Seen red: nothing searched for it until there was a slot, and then it was LOST.
  it('is searched for meanwhile, waits in the queue once it is proven that nothing started, and is sent when there is a slot', async () => {
    const { harness, waits, freeSlot } = await behindAFullSlot();
    await pollFor(harness, harness, 6 * HOUR_MS, MINUTE_MS);
    expect(await waits()).toMatchObject({ state: 'WAITING', waitingFor: 'QUEUE' });
    await freeSlot();
    await pollFor(harness, harness, 10 * MINUTE_MS, MINUTE_MS);
    expect((await waits())?.state).toBe('RUNNING');
  });

  // Seen red: LOST by the first poll.
  it('is not LOST because no poll ran until the deadline', async () => {
    const { harness, waits, freeSlot } = await behindAFullSlot();
    harness.simulator.failNext('export', { kind: 'status', status: 400, message: different });
    await freeSlot();
    harness.clock.advance(6 * HOUR_MS);
    const poller = changed(harness, (earthEngine) => ({
      startExport: (...call) => {
        // The refusal comes later than the list that was read before.
        harness.clock.advance(1);
        return earthEngine.startExport(...call);
      },
    }));
    await pollFor(harness, poller, 15 * MINUTE_MS, MINUTE_MS);
    expect((await waits())?.state).toBe('RUNNING');
  });
});

describe('a job whose stored request is damaged', () => {
  const damaged = (harness: Harness) =>
    harness.instance((services) => {
      const readRequest = async (id: string) => {
        throw new UnreadableError(`videoExports/${id}`, 'its parts do not match their SHA-256');
      };
      const records = { ...services.store.records, readRequest };
      return { ...services, store: { ...services.store, records } };
    });

  // Removed: the UnreadableError that readRequest in resume.ts returns. The record was deferred forever.
  it('is rejected after SUBMIT_DEADLINE_HOURS if no send is unanswered', async () => {
    const harness = world({ simulator: { settings: { ...running, queueLimit: 0 } } });
    await harness.submit({ data: smallJob() });
    harness.simulator.set({ queueLimit: 100 });
    const process = damaged(harness);
    await pollFor(harness, process, 71 * HOUR_MS);
    expect(await theRecord(harness)).toMatchObject({
      state: 'WAITING',
      error: { status: 'REQUEST_UNREADABLE', message: expect.stringContaining('SHA-256') },
    });
    await pollFor(harness, process, 3 * HOUR_MS);
    expect(await theRecord(harness)).toMatchObject({
      state: 'REJECTED',
      error: { status: 'SUBMIT_DEADLINE', message: expect.stringContaining('SHA-256'), retryable: false },
      submissions: 1,
    });
  });

  it('is rejected after the deadline and two searches if a send is unanswered', async () => {
    const harness = world({ simulator: { settings: running } });
    harness.simulator.failNext('export', { kind: 'reset' }, 3);
    await harness.submit({ data: smallJob() });
    const process = damaged(harness);
    await pollFor(harness, process, 71 * HOUR_MS);
    expect((await theRecord(harness)).state).toBe('WAITING');
    await pollFor(harness, process, 3 * HOUR_MS);
    expect(await theRecord(harness)).toMatchObject({
      state: 'REJECTED',
      error: { status: 'SUBMIT_DEADLINE' },
    });
    expect(harness.simulator.exportCalls).toHaveLength(3);
  });

  it('is sent once the bytes are restored', async () => {
    const harness = world({ simulator: { settings: { ...running, queueLimit: 0 } } });
    await harness.submit({ data: smallJob() });
    harness.simulator.set({ queueLimit: 100 });
    const process = damaged(harness);
    await pollFor(harness, process, 2 * HOUR_MS);
    await pollFor(harness, harness, HOUR_MS);
    expect((await theRecord(harness)).state).toBe('RUNNING');
  });
});
