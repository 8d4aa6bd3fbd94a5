import { describe, expect, it, vi } from 'vitest';

import { HOUR_MS, MINUTE_MS } from '../../shared/clock.ts';
import { cancelExports } from '../../shared/cancellation/cancel-exports.ts';
import { recordIdOf } from '../../shared/model/ids.ts';
import { changeStatus } from '../../shared/submission/gate.ts';
import { envelopeOf, smallJob } from '../harness.ts';
import { createWatched, submitMany, type Watched } from './watched.ts';

vi.setConfig({ testTimeout: 60_000 });

const PROJECT = 'demo-test';

/** Jobs that wait because of an outage and are due, behind a gate that stays closed for hours. */
async function dueBehindClosedGate(jobs: number): Promise<Watched> {
  const harness = createWatched();
  harness.simulator.failNext('export', { kind: 'status', status: 403 }, jobs);
  await submitMany(harness, jobs);
  const closedUntil = new Date(harness.clock.now().getTime() + 12 * HOUR_MS);
  await changeStatus(harness.services, PROJECT, (status) => ({ ...status, closures: 1, closedUntil }));
  harness.clock.advance(HOUR_MS);
  return harness;
}

async function readsOfAPoll(harness: Watched): Promise<number> {
  harness.clock.advance(MINUTE_MS);
  harness.store.takeBill();
  await harness.poll();
  return harness.store.takeBill().reads;
}

describe('behind a closed gate', () => {
  it('due jobs are not read in every poll', async () => {
    const harness = await dueBehindClosedGate(300);
    // A page of them, which shows that the gate is closed, and what every poll reads.
    expect(await readsOfAPoll(harness)).toBeLessThanOrEqual(100 + 30);
  });

  it('a due job of another project is sent', async () => {
    const harness = await dueBehindClosedGate(150);
    harness.simulator.failNext('export', { kind: 'status', status: 403 });
    await submitMany(harness, 1, 'other-project');
    harness.clock.advance(HOUR_MS);
    expect(await harness.poll()).toMatchObject({ submitted: 1 });
  });

  it.each(['the list fails', 'the list works'])('a canceled job ends, although %s at first', async (how) => {
    const harness = await dueBehindClosedGate(150);
    await changeStatus(harness.services, PROJECT, ({ closedUntil: _open, ...status }) => status);
    harness.simulator.failNext('export', { kind: 'reset' }, 3);
    await harness.submit({ data: smallJob({ jobKey: 'unanswered' }) });
    const closedUntil = new Date(harness.clock.now().getTime() + 12 * HOUR_MS);
    await changeStatus(harness.services, PROJECT, (status) => ({ ...status, closures: 1, closedUntil }));
    await cancelExports(harness.services, envelopeOf({ data: { jobKey: 'unanswered' } }));
    if (how === 'the list fails') {
      harness.simulator.failNext('list', { kind: 'status', status: 500 }, 3);
    }
    for (let minute = 0; minute < 60; minute += 1) {
      harness.clock.advance(MINUTE_MS);
      await harness.poll();
    }
    const recordId = recordIdOf({ project: PROJECT, jobKey: 'unanswered', attempt: 1 });
    expect(await harness.record(recordId)).toMatchObject({ state: 'CANCELLED' });
  });
});

describe('a project that denies everything', () => {
  it('has its due operations read a page at a time', async () => {
    const harness = createWatched();
    await submitMany(harness, 500);
    await harness.poll();
    harness.simulator.set({ denied: { [PROJECT]: 'NO_PERMISSION' } });
    harness.clock.advance(HOUR_MS);
    expect(await readsOfAPoll(harness)).toBeLessThanOrEqual(2 * 100 + 30);
  });
});

describe('a cancellation that fails at Earth Engine', () => {
  const stateOf = (harness: Watched) => harness.simulator.operations()[0]?.state;
  const pollAfterAMinute = async (harness: Watched) => {
    harness.clock.advance(MINUTE_MS);
    await harness.poll();
  };

  it('is repeated by each poll until it succeeds', async () => {
    const harness = createWatched();
    await harness.submit({ data: smallJob({ jobKey: 'canceled' }) });
    await pollAfterAMinute(harness);
    harness.simulator.failNext('cancel', { kind: 'status', status: 500 }, 3);
    await cancelExports(harness.services, envelopeOf({ data: { jobKey: 'canceled' } }));
    await pollAfterAMinute(harness);
    await pollAfterAMinute(harness);
    expect(stateOf(harness)).toBe('PENDING');
    await pollAfterAMinute(harness);
    expect(stateOf(harness)).toBe('CANCELLING');
  });

  it('is repeated by the next poll if a search has just found the operation', async () => {
    const harness = createWatched();
    const dying = harness.instance((services) => ({
      ...services,
      earthEngine: {
        ...services.earthEngine,
        startExport: async (...call) => {
          await services.earthEngine.startExport(...call);
          throw new Error('the process dies');
        },
      },
    }));
    await expect(dying.submit({ data: smallJob({ jobKey: 'canceled' }) })).rejects.toThrow('dies');
    await cancelExports(harness.services, envelopeOf({ data: { jobKey: 'canceled' } }));
    harness.simulator.failNext('cancel', { kind: 'status', status: 500 });
    harness.clock.advance(harness.config.submitLeaseMs);
    await harness.poll();
    await pollAfterAMinute(harness);
    expect(stateOf(harness)).toBe('CANCELLED');
  });
});
