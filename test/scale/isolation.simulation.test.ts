import { describe, expect, it } from 'vitest';

import { HOUR_MS, MINUTE_MS } from '../../shared/clock.ts';
import { type EarthEngine, EarthEngineError } from '../../shared/earth-engine/api.ts';
import type { Services } from '../../shared/services.ts';
import { type TestClock, smallJob } from '../harness.ts';
import { createWatched, submitMany, type Watched } from './watched.ts';

async function states(harness: Watched, project: string): Promise<Record<string, number>> {
  const counts: Record<string, number> = {};
  for (const { value } of await harness.records()) {
    if (value.project === project) {
      counts[value.state] = (counts[value.state] ?? 0) + 1;
    }
  }
  return counts;
}

function endAll(harness: Watched, project: string): void {
  for (const operation of harness.simulator.operations()) {
    if (operation.project === project && operation.endTime === undefined) {
      harness.simulator.endOperation(operation.name, { state: 'SUCCEEDED' });
    }
  }
}

/** Another process, whose calls to Earth Engine go through `change`. */
function withEarthEngine(harness: Watched, change: (earthEngine: EarthEngine) => Partial<EarthEngine>) {
  return harness.instance((services: Services) => ({
    ...services,
    earthEngine: { ...services.earthEngine, ...change(services.earthEngine) },
  }));
}

/** Lists fail: every operation is requested individually once its record is due. */
const listFails = {
  listOperations: () => Promise.reject(internalError(500)),
};

function internalError(httpStatus: number): EarthEngineError {
  return new EarthEngineError('UNANSWERED', {
    message: `GET … answered ${httpStatus}`,
    httpStatus,
    status: 'INTERNAL',
    reply: 'Internal error encountered.',
  });
}

describe('an unreadable record', () => {
  const past = new Date('2026-01-01T00:00:00Z');
  const broken: [string, Record<string, unknown>][] = [
    ['an active one', { project: 'demo-test', state: 'RUNNING', dueAt: past }],
    ['a claimed one', { project: 'demo-test', state: 'SUBMITTING', dueAt: past }],
    ['a waiting one', { project: 'demo-test', state: 'WAITING', waitingFor: 'SERVICE', dueAt: past }],
    [
      'a queued one',
      { project: 'demo-test', state: 'WAITING', waitingFor: 'QUEUE', priority: 9999, createdAt: past },
    ],
    ['one whose project is a number', { project: 5, state: 'RUNNING', dueAt: past }],
    ['one without a project', { state: 'RUNNING', dueAt: past }],
    [
      'one with invalid pending events',
      { project: 'demo-test', state: 'SUCCEEDED', unpublishedEvents: 'all' },
    ],
    ['one without fields', {}],
  ];

  it.each(broken)('%s delays no other record', async (_what, fields) => {
    const harness = createWatched();
    await submitMany(harness, 20);
    for (let n = 0; n < 20; n += 1) {
      harness.memory.put(`videoExports/broken-${n}`, fields);
    }
    harness.simulator.set({ queueLimit: 0 });
    await harness.submit({ data: smallJob({ jobKey: 'queued' }) });
    harness.simulator.set({ queueLimit: 1000 });
    endAll(harness, 'demo-test');
    harness.clock.advance(MINUTE_MS);
    await harness.poll();
    expect(await states(harness, 'demo-test')).toEqual({ SUCCEEDED: 20, PENDING: 1 });
  });

  it('is deferred with a description of the problem, and becomes due later', async () => {
    const harness = createWatched();
    harness.memory.put('videoExports/broken', { project: 'demo-test', state: 'RUNNING', dueAt: past });
    expect(await harness.poll()).toMatchObject({ due: 1, failed: 1, remaining: 0 });
    expect(harness.memory.peek('videoExports/broken')).toMatchObject({
      dueAt: new Date(harness.clock.now().getTime() + 15 * MINUTE_MS),
      setAside: { problem: expect.stringContaining('requestId') as string },
    });
    expect(await harness.poll()).toMatchObject({ due: 0, failed: 0 });
    harness.clock.advance(15 * MINUTE_MS);
    expect(await harness.poll()).toMatchObject({ due: 1, failed: 1 });
  });
});

describe('operations for which Earth Engine always returns 500', () => {
  it('delay no other operation of their project, although they are due first', async () => {
    const harness = createWatched();
    await submitMany(harness, 60);
    await harness.poll();
    const bad = new Set(
      harness.simulator
        .operations()
        .slice(0, 30)
        .map(({ name }) => name),
    );
    const poller = withEarthEngine(harness, (earthEngine) => ({
      ...listFails,
      getOperation: (name, options) =>
        bad.has(name) ? Promise.reject(internalError(500)) : earthEngine.getOperation(name, options),
    }));
    endAll(harness, 'demo-test');
    harness.clock.advance(HOUR_MS);
    const summary = await poller.poll();
    expect(summary.failed).toBeGreaterThanOrEqual(30);
    expect(await states(harness, 'demo-test')).toEqual({ PENDING: 30, SUCCEEDED: 30 });
    // Their records become due again, and the failures leave no trace.
    harness.clock.advance(15 * MINUTE_MS);
    await harness.poll();
    expect(await states(harness, 'demo-test')).toEqual({ SUCCEEDED: 60 });
  });
});

describe('a project without permission', () => {
  it('delays no other project, and costs a few calls of a run', async () => {
    const harness = createWatched();
    await submitMany(harness, 150, 'denied-project');
    await submitMany(harness, 150, 'good-project');
    await harness.poll();
    harness.simulator.set({ denied: { 'denied-project': 'NO_PERMISSION' } });
    endAll(harness, 'good-project');
    harness.clock.advance(HOUR_MS);
    for (let n = 0; n < 20; n += 1) {
      await harness.submit({ data: smallJob({ jobKey: `new/${n}`, project: 'denied-project' }) });
    }
    const before = harness.simulator.counters().calls;
    const summary = await harness.poll();
    expect(await states(harness, 'good-project')).toEqual({ SUCCEEDED: 150 });
    expect(await states(harness, 'denied-project')).toEqual({ PENDING: 150, WAITING: 20 });
    // Quick failures in a row, and the calls that were in flight at once; the rest are skipped.
    expect(harness.simulator.counters().calls.get - before.get).toBeLessThanOrEqual(50 + 16);
    expect(summary.calls.list).toBeLessThanOrEqual(3);

    harness.simulator.set({ denied: {} });
    harness.clock.advance(15 * MINUTE_MS);
    await harness.poll();
    expect(await states(harness, 'denied-project')).toEqual({ PENDING: 170 });
  });
});

/** A project that does not answer: every call takes its whole timeout, concurrently with others. */
function silent(clock: TestClock, project: string) {
  return (earthEngine: EarthEngine): Partial<EarthEngine> => {
    const silence = async <R>(of: string, timeoutMs: number, call: () => Promise<R>): Promise<R> => {
      if (!of.includes(project)) {
        return call();
      }
      const until = clock.now().getTime() + timeoutMs;
      await new Promise((resolve) => setImmediate(resolve));
      clock.advance(Math.max(0, until - clock.now().getTime()));
      throw internalError(504);
    };
    return {
      startExport: (of, request, options) =>
        silence(of, options.timeoutMs, () => earthEngine.startExport(of, request, options)),
      getOperation: (name, options) =>
        silence(name, options.timeoutMs, () => earthEngine.getOperation(name, options)),
      listOperations: (of, token, options) =>
        silence(of, options.timeoutMs, () => earthEngine.listOperations(of, token, options)),
    };
  };
}

describe('a project that does not answer', () => {
  it('takes a bounded part of a run, in which the other projects are finished', async () => {
    const harness = createWatched();
    await submitMany(harness, 150, 'mute-project');
    await submitMany(harness, 150, 'good-project');
    await harness.poll();
    const instance = withEarthEngine(harness, silent(harness.clock, 'mute-project'));
    for (let n = 0; n < 50; n += 1) {
      await instance.submit({ data: smallJob({ jobKey: `new/${n}`, project: 'mute-project' }) });
    }
    expect(await states(harness, 'mute-project')).toEqual({ PENDING: 150, WAITING: 50 });
    endAll(harness, 'good-project');
    harness.clock.advance(HOUR_MS);
    const summary = await instance.poll();
    expect(await states(harness, 'good-project')).toEqual({ SUCCEEDED: 150 });
    expect(summary.seconds).toBeLessThan(240);
    expect(await states(harness, 'mute-project')).toEqual({ PENDING: 150, WAITING: 50 });
  });
});

describe("a run's time", () => {
  /** Every get takes ten seconds, one after another. */
  const slow = (harness: Watched) =>
    withEarthEngine(harness, (earthEngine) => ({
      ...listFails,
      getOperation: (name, options) => {
        harness.clock.advance(10_000);
        return earthEngine.getOperation(name, options);
      },
    }));

  it('is kept, and the next runs continue where it stopped', async () => {
    const harness = createWatched();
    await submitMany(harness, 100);
    await harness.poll();
    harness.clock.advance(HOUR_MS);
    endAll(harness, 'demo-test');
    const poller = slow(harness);
    const changes: number[] = [];
    for (let run = 0; run < 7; run += 1) {
      const summary = await poller.poll();
      changes.push(summary.changed);
      // The budget, and the calls in flight when it ended.
      expect(summary.seconds).toBeLessThanOrEqual(240 + 16 * 10);
      expect(summary.remaining).toBe(100 - changes.reduce((sum, changed) => sum + changed, 0));
    }
    // The rest of the budget is reserved for feeding the queues.
    expect(changes.at(0)).toBeGreaterThanOrEqual((240 / 10) * (2 / 3));
    expect(await states(harness, 'demo-test')).toEqual({ SUCCEEDED: 100 });
  });
});

describe('memory', () => {
  it('holds a page of records at a time, however many are due', async () => {
    const harness = createWatched();
    await submitMany(harness, 700);
    await harness.poll();
    harness.clock.advance(HOUR_MS);
    let most = 0;
    const { records } = harness.store;
    const poller = harness.instance((services) => ({
      ...services,
      store: {
        ...services.store,
        records: {
          ...records,
          find: async (query, page) => {
            const found = await records.find(query, page);
            most = Math.max(most, found.length);
            return found;
          },
          getMany: async (ids) => {
            const found = await records.getMany(ids);
            most = Math.max(most, found.length);
            return found;
          },
        },
      },
    }));
    expect(await poller.poll()).toMatchObject({ due: 700, remaining: 0 });
    expect(most).toBeLessThanOrEqual(500);
  });
});
