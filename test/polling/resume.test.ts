import { describe, expect, it } from 'vitest';

import { MINUTE_MS, SECOND_MS } from '../../shared/clock.ts';
import { type EarthEngine, EarthEngineError } from '../../shared/earth-engine/api.ts';
import { UnreadableError } from '../../shared/errors.ts';
import type { ExportRecord } from '../../shared/model/record.ts';
import { resume } from '../../shared/polling/resume.ts';
import type { Stored } from '../../shared/store/store.ts';
import { createHarness, type Harness, queueFull, smallJob } from '../harness.ts';
import { refusal, startAtEarthEngine } from '../submission/rules-world.ts';
import { beginRun } from './runs.ts';

const endless: [number, number] = [1e9, 1e9];
const settings = { forgetIdsAfterMs: 10 * SECOND_MS, runMs: endless };

/** A record in WAITING whose sends got no answer; `fault` is what became of the first. */
async function unanswered(fault: 'lost' | 'reset') {
  const harness = createHarness({ simulator: { settings } });
  harness.simulator.failNext('export', { kind: fault });
  harness.simulator.failNext('export', { kind: 'reset' }, 2);
  await harness.submit({ data: smallJob() });
  return { harness, stored: await theOnly(harness) };
}

async function theOnly(harness: Harness): Promise<Stored<ExportRecord>> {
  const [stored] = await harness.records();
  if (!stored) {
    throw new Error('there is no record');
  }
  return stored;
}

const exportsOf = (harness: Harness): number => harness.simulator.counters().calls.export;

describe('a record with an unanswered send', () => {
  it('is adopted, not sent, if the list has its operation', async () => {
    const { harness, stored } = await unanswered('lost');
    const exported = exportsOf(harness);
    harness.clock.advance(MINUTE_MS);
    expect(await resume(beginRun(harness), stored)).toMatchObject({
      sendOutcome: 'OPERATION',
      stored: { value: { operation: harness.simulator.operations()[0]?.name } },
    });
    expect(exportsOf(harness)).toBe(exported);
  });

  it('is searched for in a list that started after the send, even if another one was read before', async () => {
    const harness = createHarness({ simulator: { settings } });
    const run = beginRun(harness);
    let posts = 0;
    const losing = harness.instance((services) => ({
      ...services,
      earthEngine: {
        ...services.earthEngine,
        startExport: async (...call) => {
          posts += 1;
          if (posts === 1) {
            harness.clock.advance(SECOND_MS);
            await run.listings.since('demo-test', harness.clock.now()).read(() => false);
            harness.clock.advance(SECOND_MS);
            await services.earthEngine.startExport(...call);
          }
          throw refusal('UNANSWERED', 503);
        },
      },
    }));
    await losing.submit({ data: smallJob() });
    const exported = exportsOf(harness);
    harness.clock.advance(MINUTE_MS);
    expect((await resume(run, await theOnly(harness))).sendOutcome).toBe('OPERATION');
    expect(exportsOf(harness)).toBe(exported);
  });

  it('is not sent if the list cannot be read: it waits as in an outage', async () => {
    const { harness, stored } = await unanswered('lost');
    const exported = exportsOf(harness);
    const run = beginRun(harness, {
      listOperations: async () => {
        throw refusal('UNANSWERED', 503);
      },
    });
    expect(await resume(run, stored)).toMatchObject({
      sendOutcome: 'NOT_SENT',
      stored: { value: { state: 'WAITING', waitingFor: 'SERVICE', unanswered: 3 } },
    });
    expect(exportsOf(harness)).toBe(exported);
  });

  it('is not sent if the list has no end', async () => {
    const { harness, stored } = await unanswered('lost');
    const exported = exportsOf(harness);
    const withoutEnd: EarthEngine['listOperations'] = async () => {
      harness.clock.advance(10 * SECOND_MS);
      return { operations: [], nextPageToken: String(harness.clock.now().getTime()) };
    };
    const once = await resume(beginRun(harness, { listOperations: withoutEnd }), stored);
    expect(once).toMatchObject({
      sendOutcome: 'OTHER',
      stored: {
        value: { state: 'WAITING', waitingFor: 'ADOPTION', unanswered: 3, dueAt: harness.clock.now() },
      },
    });
    expect(once.stored.value).toHaveProperty('unsettledSince');
    // Only the first such run writes it.
    const again = await resume(beginRun(harness, { listOperations: withoutEnd }), once.stored);
    expect(again).toEqual({ sendOutcome: 'OTHER', stored: once.stored });
    expect(exportsOf(harness)).toBe(exported);
  });
});

describe('a record whose id is refused', () => {
  it('is searched for in a list that started after its last send, even if another one was read before', async () => {
    const harness = createHarness({ simulator: { settings } });
    const run = beginRun(harness, {
      startExport: async () => {
        throw new EarthEngineError('ALREADY_STARTED', {
          message: '',
          httpStatus: 400,
          status: '',
          reply: '',
        });
      },
    });
    await run.listings.since('demo-test', harness.clock.now()).read(() => false);
    harness.clock.advance(SECOND_MS);
    harness.simulator.failNext('export', queueFull);
    await harness.submit({ data: smallJob() });
    const stored = await theOnly(harness);
    await startAtEarthEngine(harness, `late-${stored.id}`, `small_${stored.id}`);
    expect((await resume(run, stored)).sendOutcome).toBe('OPERATION');
    expect(await harness.record(stored.id)).toMatchObject({
      requestId: stored.id,
      operation: harness.simulator.operations()[0]?.name,
    });
  });
});

describe('a record that another service account sent', () => {
  it('is searched for although every send was answered', async () => {
    const harness = createHarness({ simulator: { settings } });
    harness.simulator.failNext('export', queueFull);
    await harness.submit({ data: smallJob() });
    const stored = await theOnly(harness);
    await startAtEarthEngine(harness, `late-${stored.id}`, `small_${stored.id}`);
    const exported = exportsOf(harness);
    harness.clock.advance(MINUTE_MS);
    const run = beginRun(harness, {
      serviceAccount: async () => 'another@demo-test.iam.gserviceaccount.com',
    });
    expect((await resume(run, stored)).sendOutcome).toBe('OPERATION');
    expect(exportsOf(harness)).toBe(exported);
  });
});

describe('a record whose bytes are damaged', () => {
  it('waits, and no send is counted', async () => {
    const { harness, stored } = await unanswered('reset');
    harness.clock.advance(MINUTE_MS);
    const run = beginRun(harness);
    const { records } = run.store;
    const damaged = {
      ...run.store,
      records: {
        ...records,
        readRequest: async (id: string) => {
          throw new UnreadableError(id, 'damaged');
        },
      },
    };
    const { sendOutcome } = await resume({ ...run, store: damaged }, stored);
    expect(sendOutcome).toBe('OTHER');
    const record = await harness.record(stored.id);
    expect(record).toMatchObject({
      state: 'WAITING',
      unanswered: 3,
      error: { status: 'REQUEST_UNREADABLE' },
    });
    expect(record.submissions).toBe(stored.value.submissions);
  });
});
