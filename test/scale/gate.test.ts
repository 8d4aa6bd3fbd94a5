import { describe, expect, it } from 'vitest';

import { projectStatusSchema } from '../../shared/model/project-status.ts';
import { isReadable } from '../../shared/store/store.ts';
import { changeStatus } from '../../shared/submission/gate.ts';
import { createHarness, type Harness, queueFull, smallJob } from '../harness.ts';
import { createWatched } from './watched.ts';

const PROJECT = 'demo-test';

async function status(harness: Harness) {
  const found = await harness.store.projects.get(PROJECT);
  return found && isReadable(found) ? found.value : undefined;
}

const job = (jobKey: string, priority?: number) => ({
  data: smallJob({ jobKey }, priority === undefined ? {} : { priority }),
});

/** A harness in which the first job has just been refused because the queue is full. */
async function closedGate(): Promise<Harness> {
  const harness = createHarness({ simulator: { settings: { queueLimit: 0, startsPerSecond: 1000 } } });
  expect(await harness.submit(job('first'))).toMatchObject({ outcome: 'SENT', sendOutcome: 'QUEUE_FULL' });
  return harness;
}

const exportsOf = (harness: Harness): number => harness.simulator.exportCalls.length;

describe("a project's gate", () => {
  it('is closed by one instance at once for itself, and within 5 seconds for every other', async () => {
    const harness = createHarness();
    const other = harness.instance();
    // Both have read the gate, which is open.
    await harness.submit(job('a'));
    await other.submit(job('b'));
    harness.simulator.set({ queueLimit: 0 });
    expect(await harness.submit(job('c'))).toMatchObject({ sendOutcome: 'QUEUE_FULL' });
    const calls = exportsOf(harness);
    expect(await harness.submit(job('d'))).toMatchObject({ outcome: 'QUEUED' });
    expect(exportsOf(harness)).toBe(calls);
    harness.clock.advance(5000);
    expect(await other.submit(job('e'))).toMatchObject({ outcome: 'QUEUED' });
    expect(exportsOf(harness)).toBe(calls);
  });

  it.each([400, 429] as const)(
    'closes if a full queue is reported with %i, which does not count against the job',
    async (queueFullStatus) => {
      const harness = createHarness({ simulator: { settings: { queueLimit: 0, queueFullStatus } } });
      const submitted = await harness.submit(job('a'));
      expect(submitted).toMatchObject({ outcome: 'SENT', state: 'WAITING', sendOutcome: 'QUEUE_FULL' });
      for (let poll = 0; poll < 200; poll += 1) {
        harness.clock.advance(3_600_000);
        await harness.poll();
      }
      const [stored] = await harness.records();
      // Over eight days: past any deadline that counts outages.
      expect(stored?.value).toMatchObject({ state: 'WAITING', waitingFor: 'QUEUE', waits: 0 });
      harness.simulator.set({ queueLimit: 10 });
      harness.clock.advance(3_600_000);
      await harness.poll();
      expect((await harness.records())[0]?.value).toMatchObject({ state: 'PENDING' });
    },
  );

  it('doubles its wait while the queue stays full, up to RETRY_MAX_SECONDS, and starts over once it opens', async () => {
    const harness = await closedGate();
    const waits: number[] = [];
    for (let n = 0; n < 8; n += 1) {
      const { closedUntil } = (await status(harness)) ?? {};
      const waitMs = (closedUntil?.getTime() ?? 0) - harness.clock.now().getTime();
      waits.push(waitMs / 1000);
      harness.clock.advance(waitMs);
      await harness.poll();
    }
    for (const [n, wait] of waits.entries()) {
      const doubled = Math.min(900, 30 * 2 ** n);
      expect(wait).toBeGreaterThanOrEqual(Math.max(30, doubled * 0.75 - 1));
      expect(wait).toBeLessThanOrEqual(doubled);
    }
    expect(exportsOf(harness)).toBe(9);
    harness.simulator.set({ queueLimit: 100 });
    harness.clock.advance(900_000);
    await harness.poll();
    expect(await status(harness)).toEqual({ closures: 0, updatedAt: expect.any(Date) as Date });
  });

  it('is reopened by one probe, the first in the queue, and the rest follows in the same run', async () => {
    const harness = await closedGate();
    for (let n = 0; n < 30; n += 1) {
      await harness.submit(job(`low/${n}`, 10));
    }
    await harness.submit(job('high', 500));
    harness.clock.advance(40_000);
    const before = exportsOf(harness);
    // Still full: one call shows that.
    await harness.poll();
    expect(exportsOf(harness)).toBe(before + 1);
    const probe = harness.simulator.exportCalls.at(-1)?.requestId;
    const records = await harness.records();
    expect(records.find(({ value }) => value.requestId === probe)?.value.jobKey).toBe('high');

    harness.simulator.set({ queueLimit: 100 });
    harness.clock.advance(120_000);
    expect(await harness.poll()).toMatchObject({ submitted: 32, waiting: 0 });
    expect(harness.simulator.operations()).toHaveLength(32);
  });

  it('is probed by one of several pollers', async () => {
    const harness = await closedGate();
    for (let n = 0; n < 10; n += 1) {
      await harness.submit(job(`waiting/${n}`));
    }
    const others = [harness.instance(), harness.instance(), harness.instance()];
    harness.clock.advance(40_000);
    const before = exportsOf(harness);
    await Promise.all([harness, ...others].map((instance) => instance.poll()));
    expect(exportsOf(harness)).toBe(before + 1);
  });

  it('is not kept closed by a dead prober', async () => {
    const harness = await closedGate();
    harness.simulator.set({ queueLimit: 100 });
    harness.clock.advance(40_000);
    const found = await harness.store.projects.get(PROJECT);
    if (!found || !isReadable(found)) {
      throw new Error('the gate was not closed');
    }
    const leaseUntil = new Date(harness.clock.now().getTime() + 120_000);
    await harness.store.projects.replace(
      found,
      projectStatusSchema.parse({ ...found.value, probe: { token: 'dead', leaseUntil } }),
    );
    expect(await harness.poll()).toMatchObject({ submitted: 0, waiting: 1 });
    harness.clock.advance(120_000);
    expect(await harness.poll()).toMatchObject({ submitted: 1, waiting: 0 });
  });

  it.each([403, 500])(
    'is probed by the head of the queue, not by due jobs that always get %i',
    async (code) => {
      const harness = createHarness({
        simulator: {
          settings: { startsPerSecond: 1000 },
          onRequest: (request, call) =>
            call === 'export' && new TextDecoder().decode(request.body).includes('"description":"poison')
              ? { kind: 'status', status: code }
              : undefined,
        },
      });
      for (let n = 0; n < 60; n += 1) {
        await harness.submit({ data: smallJob({ jobKey: `poison/${n}` }, { description: 'poison' }) });
      }
      harness.simulator.failNext('export', queueFull);
      await harness.submit(job('head'));
      await harness.submit(job('next'));
      // All of them are due, and the gate's time is over.
      harness.clock.advance(15 * 60_000);
      expect(await harness.poll()).toMatchObject({ submitted: 2 });
    },
  );

  it('stays closed if every probe fails, at the cost of a few calls, and the next run probes again', async () => {
    const harness = await closedGate();
    for (let n = 0; n < 100; n += 1) {
      await harness.submit(job(`denied/${n}`));
    }
    harness.simulator.set({ queueLimit: 1000, denied: { [PROJECT]: 'NO_PERMISSION' } });
    harness.clock.advance(40_000);
    const before = exportsOf(harness);
    await harness.poll();
    expect(exportsOf(harness) - before).toBeLessThanOrEqual(20);
    expect((await status(harness))?.probe).toBeUndefined();
    harness.simulator.set({ denied: {} });
    expect(await harness.poll()).toMatchObject({ submitted: 81 });
  });

  it('is probed by due jobs, one after another, if the queue is empty', async () => {
    const harness = createHarness({ simulator: { settings: { startsPerSecond: 1000 } } });
    harness.simulator.failNext('export', { kind: 'status', status: 403 }, 10);
    for (let n = 0; n < 10; n += 1) {
      await harness.submit(job(`due/${n}`));
    }
    harness.simulator.failNext('export', queueFull);
    await harness.submit(job('queued'));
    harness.clock.advance(40_000);
    expect(await harness.poll()).toMatchObject({ submitted: 1 });
    // The queue is empty now. Closed by hand, since a refused job would be in the queue.
    await changeStatus(harness.services, PROJECT, (open, now) => ({
      ...open,
      closures: 1,
      closedUntil: now,
    }));
    harness.clock.advance(15 * 60_000);
    harness.simulator.failNext('export', { kind: 'status', status: 403 }, 3);
    expect(await harness.poll()).toMatchObject({ submitted: 7 });
    expect(await status(harness)).not.toHaveProperty('closedUntil');
  });

  it('is left to the next poll by a due job whose probe shows nothing', async () => {
    const harness = createHarness();
    harness.simulator.failNext('export', { kind: 'status', status: 403 }, 2);
    await harness.submit(job('due'));
    await changeStatus(harness.services, PROJECT, (open, now) => ({
      ...open,
      closures: 1,
      closedUntil: now,
    }));
    harness.clock.advance(15 * 60_000);
    await harness.poll();
    expect(exportsOf(harness)).toBe(2);
    expect(await status(harness)).not.toHaveProperty('probe');
    await harness.submit(job('queued'));
    expect(await harness.poll()).toMatchObject({ submitted: 1 });
  });

  it('is not kept closed by a probe whose job is refused', async () => {
    const harness = await closedGate();
    // Earth Engine refuses this one for good, which does not show while the queue is full.
    await harness.submit(job('poison', 900));
    await harness.submit(job('good', 500));
    harness.simulator.set({ queueLimit: 100 });
    harness.simulator.failNext('export', { kind: 'status', status: 400, message: 'Invalid expression.' });
    harness.clock.advance(40_000);
    expect(await harness.poll()).toMatchObject({ rejected: 1, submitted: 2, waiting: 0 });
  });

  it('is not kept closed by a probe without an answer', async () => {
    const harness = await closedGate();
    await harness.submit(job('unlucky', 900));
    harness.simulator.set({ queueLimit: 100 });
    harness.simulator.failNext('export', { kind: 'status', status: 500 }, 3);
    harness.clock.advance(40_000);
    await harness.poll();
    harness.clock.advance(60_000);
    await harness.poll();
    harness.clock.advance(60_000);
    await harness.poll();
    expect(harness.simulator.operations()).toHaveLength(2);
  });

  it('is not kept closed by an unreadable record in front, neither for the queue nor for new jobs', async () => {
    const harness = createWatched({ simulator: { settings: { queueLimit: 0 } } });
    await harness.submit(job('first'));
    harness.memory.put('videoExports/broken', {
      project: PROJECT,
      state: 'WAITING',
      waitingFor: 'QUEUE',
      priority: 9999,
      createdAt: new Date(0),
    });
    harness.simulator.set({ queueLimit: 100 });
    harness.clock.advance(40_000);
    expect(await harness.poll()).toMatchObject({ submitted: 1, failed: 1 });
    harness.clock.advance(5000);
    expect(await harness.submit(job('new'))).toMatchObject({ outcome: 'SENT', state: 'PENDING' });
  });

  it('keeps new jobs behind those that already wait, even once it is open', async () => {
    const harness = await closedGate();
    harness.simulator.set({ queueLimit: 100 });
    // Longer than the gate is closed, and before any poll.
    harness.clock.advance(60_000);
    expect(await harness.submit(job('later'))).toMatchObject({ outcome: 'QUEUED' });
    const other = harness.instance();
    expect(await other.submit(job('later still'))).toMatchObject({ outcome: 'QUEUED' });
    await harness.poll();
    const order = harness.simulator.operations().map(({ requestId }) => requestId);
    const records = new Map((await harness.records()).map(({ value }) => [value.requestId, value.jobKey]));
    expect(order.map((requestId) => records.get(requestId ?? ''))).toEqual(['first', 'later', 'later still']);
    harness.clock.advance(5000);
    expect(await harness.submit(job('newest'))).toMatchObject({ outcome: 'SENT' });
  });

  it('applies to one project: others continue', async () => {
    const harness = createHarness({ environment: { ALLOWED_PROJECTS: '*' } });
    harness.simulator.setOthers('full-project', { pending: 3000 });
    const full = { data: smallJob({ project: 'full-project' }) };
    expect(await harness.submit(full)).toMatchObject({ sendOutcome: 'QUEUE_FULL' });
    expect(await harness.submit(job('a'))).toMatchObject({ sendOutcome: 'OPERATION' });
  });
});
