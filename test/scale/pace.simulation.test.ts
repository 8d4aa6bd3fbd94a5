import { describe, expect, it, vi } from 'vitest';

import { MINUTE_MS } from '../../shared/clock.ts';
import { isReadable } from '../../shared/store/store.ts';
import { createHarness, type Harness, smallJob } from '../harness.ts';
import { drain } from './drain.ts';

const PROJECT = 'demo-test';
const tooMany = { kind: 'status', status: 429 } as const;

const environment = { EARTHENGINE_REQUESTS_PER_SECOND: '100' };

async function statusOf(harness: Harness) {
  const found = await harness.store.projects.get(PROJECT);
  return found && isReadable(found) ? found.value : undefined;
}

const submit = (harness: Harness, jobKey: string) => harness.submit({ data: smallJob({ jobKey }) });

describe('a 429', () => {
  it('does not close the gate: the job is sent again within its claim', async () => {
    const harness = createHarness({ environment });
    harness.simulator.failNext('export', tooMany, 2);
    expect(await submit(harness, 'a')).toMatchObject({ sendOutcome: 'OPERATION' });
    expect(await statusOf(harness)).toBeUndefined();
  });

  it('puts the job into the queue if it is refused each time, and the next run sends it', async () => {
    const harness = createHarness({ environment });
    harness.simulator.failNext('export', tooMany, 3);
    expect(await submit(harness, 'a')).toMatchObject({ sendOutcome: 'SLOWED', state: 'WAITING' });
    expect(await submit(harness, 'b')).toMatchObject({ outcome: 'QUEUED' });
    expect((await statusOf(harness))?.closedUntil).toBeUndefined();
    expect(await harness.poll()).toMatchObject({ submitted: 2, waiting: 0 });
  });

  it('is retried within the same run, before the jobs behind it', async () => {
    const harness = createHarness({ environment });
    harness.simulator.failNext('export', tooMany, 3);
    await submit(harness, 'a');
    await submit(harness, 'b');
    harness.simulator.failNext('export', tooMany, 4);
    expect(await harness.poll()).toMatchObject({ submitted: 2, waiting: 0 });
  });

  it('closes the gate if 429s persist, and a probe opens it again', async () => {
    const harness = createHarness({ environment });
    harness.simulator.failNext('export', tooMany, 30);
    for (let n = 0; n < 10; n += 1) {
      await submit(harness, `job/${n}`);
    }
    await harness.poll();
    expect(await statusOf(harness)).toMatchObject({ closedFor: 'RATE', closures: 1 });
    const calls = harness.simulator.exportCalls.length;
    await harness.poll();
    expect(harness.simulator.exportCalls).toHaveLength(calls);
    for (let minute = 0; minute < 60; minute += 1) {
      harness.clock.advance(MINUTE_MS);
      await harness.poll();
    }
    expect(harness.simulator.operations()).toHaveLength(10);
    expect(await statusOf(harness)).not.toHaveProperty('closedUntil');
  });

  it('closes the gate for as long as Earth Engine asks for, if that is longer than a run can wait', async () => {
    const harness = createHarness({ environment });
    harness.simulator.failNext('export', { ...tooMany, retryAfter: '300' });
    await submit(harness, 'a');
    const { closedUntil } = (await statusOf(harness)) ?? {};
    expect((closedUntil?.getTime() ?? 0) - harness.clock.now().getTime()).toBe(300_000);
    expect(harness.simulator.exportCalls).toHaveLength(1);
  });

  it('after which Earth Engine asks for a short pause lets a run wait that long', async () => {
    const harness = createHarness({ environment });
    harness.simulator.failNext('export', { ...tooMany, retryAfter: '4' });
    const before = harness.clock.now().getTime();
    expect(await submit(harness, 'a')).toMatchObject({ sendOutcome: 'OPERATION' });
    expect(harness.clock.now().getTime() - before).toBeGreaterThanOrEqual(4000);
  });
});

describe('the pace of a project', () => {
  it('is shared with the next run, and with other instances', async () => {
    const { harness } = await drain({
      jobs: 150,
      latencyMs: 100,
      simulator: { requestsPerSecond: 5 },
    });
    const { pace } = (await statusOf(harness)) ?? {};
    expect(pace?.perSecond).toBeLessThan(6);
    const other = harness.instance();
    await other.submit({ data: smallJob({ jobKey: 'other' }) });
    const { perSecond } = other.gate.pace(PROJECT).memory();
    expect(perSecond).toBeLessThan(7);
  });
});

// Many virtual calls: see drain.ts.
vi.setConfig({ testTimeout: 120_000 });

describe('a queue that runs dry within a minute', () => {
  it('is refilled within the run, so that no slot of Earth Engine is idle', async () => {
    const { idleSlotMinutes, totalMs } = await drain({
      jobs: 700,
      latencyMs: 300,
      environment: { MAX_ACTIVE_OPERATIONS: '150' },
      simulator: { queueLimit: 200, startsPerSecond: 4, concurrency: 40, runMs: [2000, 6000] },
    });
    expect(idleSlotMinutes).toBe(0);
    expect(totalMs / 1000).toBeLessThan((700 / 4) * 1.2);
  });

  it('is refilled in time if feeding takes half of the run, and is over when the next run starts', async () => {
    const { idleSlotMinutes, totalMs } = await drain({
      jobs: 1300,
      latencyMs: 300,
      environment: { MAX_ACTIVE_OPERATIONS: '540', EARTHENGINE_REQUESTS_PER_SECOND: '20' },
      simulator: { queueLimit: 600, startsPerSecond: 10, concurrency: 80, runMs: [2000, 8000] },
    });
    expect(idleSlotMinutes).toBe(0);
    expect(totalMs / 1000).toBeLessThan((1300 / 10) * 1.2);
  });

  it('is refilled while the videos of many jobs are looked for', async () => {
    const { idleSlotMinutes } = await drain({
      jobs: 700,
      latencyMs: 300,
      deliveryMs: 2000,
      environment: { MAX_ACTIVE_OPERATIONS: '150' },
      simulator: { queueLimit: 200, startsPerSecond: 4, concurrency: 40, runMs: [2000, 6000] },
    });
    expect(idleSlotMinutes).toBe(0);
  });
});
