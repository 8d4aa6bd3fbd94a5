import { describe, expect, it } from 'vitest';

import { later, MINUTE_MS, SECOND_MS } from '../../shared/clock.ts';
import { type DueKind, eachDue } from '../../shared/polling/due.ts';
import { partsOf } from '../../shared/polling/poll-run.ts';
import { resumeThroughGate } from '../../shared/polling/project-gate.ts';
import { changeStatus } from '../../shared/submission/gate.ts';
import { recordQueries } from '../../shared/store/queries.ts';
import type { Store } from '../../shared/store/store.ts';
import { createHarness, smallJob } from '../harness.ts';
import { beginRun } from './runs.ts';

const project = 'demo-test';

/** Records that wait for the end of an outage. */
async function waiting(count: number, limit = 100) {
  const harness = createHarness({ environment: { MAX_ACTIVE_OPERATIONS: String(limit) } });
  harness.simulator.failNext('export', { kind: 'unreachable' }, 3 * Math.min(count, limit));
  for (let n = 0; n < count; n += 1) {
    await harness.submit({ data: smallJob({ jobKey: `job ${n}` }) });
  }
  harness.clock.advance(MINUTE_MS);
  return { harness, records: await harness.records() };
}

const slowToWrite = (store: Store, written: () => void): Store => ({
  ...store,
  records: {
    ...store.records,
    replace: (...write) => {
      written();
      return store.records.replace(...write);
    },
  },
});

describe('a probe', () => {
  it('is alone: no other record of the run is sent until it is answered', async () => {
    const { harness, records } = await waiting(2);
    await changeStatus(harness.services, project, (status, now) => ({
      ...status,
      closures: 1,
      closedFor: 'QUEUE',
      closedUntil: later(now, -SECOND_MS),
    }));
    const posted = Promise.withResolvers<void>();
    const answered = Promise.withResolvers<void>();
    let posts = 0;
    const run = beginRun(harness, {
      startExport: async (...call) => {
        posts += 1;
        posted.resolve();
        await answered.promise;
        return harness.services.earthEngine.startExport(...call);
      },
    });
    const [first, second] = records;
    if (!first || !second) {
      throw new Error('there are no records');
    }
    const probing = resumeThroughGate(run, first, 'due');
    await posted.promise;
    const following = resumeThroughGate(run, second, 'due');
    await new Promise((resolve) => setTimeout(resolve, 20));
    expect(posts).toBe(1);
    answered.resolve();
    await Promise.all([probing, following]);
    expect(posts).toBe(2);
  });
});

describe('MAX_ACTIVE_OPERATIONS', () => {
  it('limits what one run sends', async () => {
    const { harness, records } = await waiting(3, 2);
    const run = beginRun(harness);
    for (const record of records) {
      await resumeThroughGate(run, record, 'due');
    }
    expect(harness.simulator.operations()).toHaveLength(2);
  });
});

describe('a canceled job', () => {
  it('takes no slot: the job behind it is sent in the same run', async () => {
    const { harness, records } = await waiting(2, 1);
    const [canceled, next] = records;
    if (!canceled || !next) {
      throw new Error('there are no records');
    }
    const requested = { ...canceled.value, cancelRequestedAt: harness.clock.now() };
    const run = beginRun(harness);
    await resumeThroughGate(run, await harness.store.records.replace(canceled, requested), 'due');
    await resumeThroughGate(run, next, 'due');
    expect(harness.simulator.operations()).toHaveLength(1);
  });
});

describe('a pause that Earth Engine asks for', () => {
  it('is not filled with claims, even if it asked for it in the reply to a list', async () => {
    const harness = createHarness({ environment: { MAX_ACTIVE_OPERATIONS: '1' } });
    for (let n = 0; n < 4; n += 1) {
      await harness.submit({ data: smallJob({ jobKey: `job ${n}` }) });
    }
    harness.clock.advance(MINUTE_MS);
    harness.simulator.failNext('list', { kind: 'status', status: 429, retryAfter: '120' });
    const poller = harness.instance((services) => ({
      ...services,
      config: { ...services.config, maxActiveOperations: 100 },
      store: slowToWrite(services.store, () => harness.clock.advance(SECOND_MS / 10)),
    }));
    await poller.poll();
    harness.clock.advance(2 * MINUTE_MS);
    await poller.poll();
    expect(harness.simulator.operations()).toHaveLength(4);
    const revisions = (await harness.records()).map(({ value }) => value.revision);
    expect(Math.max(...revisions)).toBeLessThan(10);
  });
});

describe('the parts of a run', () => {
  it('leave time for the next one', () => {
    const start = new Date('2026-11-23T12:00:00Z');
    const ends = partsOf(start, 240 * SECOND_MS);
    expect(ends).toEqual({
      sweeps: later(start, 80 * SECOND_MS),
      searches: later(start, 120 * SECOND_MS),
      due: later(start, 160 * SECOND_MS),
      run: later(start, 240 * SECOND_MS),
    });
  });
});

describe('the budget of a run', () => {
  it('ends its work, even in the middle of a page', async () => {
    const { harness } = await waiting(60);
    const poller = harness.instance((services) => ({
      ...services,
      earthEngine: {
        ...services.earthEngine,
        startExport: async (...call) => {
          harness.clock.advance(20 * SECOND_MS);
          return services.earthEngine.startExport(...call);
        },
      },
    }));
    await poller.poll();
    const started = harness.simulator.operations().length;
    expect(started).toBeGreaterThan(5);
    expect(started).toBeLessThan(40);
  });

  it('ends work on due records, even if each record would succeed', async () => {
    const { harness } = await waiting(60);
    const run = beginRun(harness);
    let worked = 0;
    const slow: DueKind = {
      part: 'due',
      query: recordQueries.dueWaiting,
      work: async () => {
        worked += 1;
        harness.clock.advance(MINUTE_MS);
        return true;
      },
    };
    await eachDue(run, slow, Promise.resolve([project]));
    expect(worked).toBeGreaterThanOrEqual(3);
    // Those that were in progress are finished.
    expect(worked).toBeLessThan(3 + 16);
  });
});
