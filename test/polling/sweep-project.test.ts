import { describe, expect, it } from 'vitest';

import { createMemoryStore } from '../../infra/local/memory/store.ts';
import { MINUTE_MS } from '../../shared/clock.ts';
import type { PollRun } from '../../shared/polling/poll-run.ts';
import { sweepProject } from '../../shared/polling/sweep-project.ts';
import { isReadable } from '../../shared/store/store.ts';
import { createHarness, type Harness, smallJob } from '../harness.ts';
import { startAtEarthEngine } from '../submission/rules-world.ts';
import { beginRun } from './runs.ts';

const endless: [number, number] = [1e9, 1e9];
const settings = { pendingMs: 90_000, startsPerSecond: 100, runMs: endless };
const project = 'demo-test';

const recordOf = async (harness: Harness, jobKey: string) => {
  const stored = (await harness.records()).find(({ value }) => value.jobKey === jobKey);
  if (!stored) {
    throw new Error(`there is no record of ${jobKey}`);
  }
  return stored.value;
};

/** The run, whose writes of records fail. */
const withoutWrites = (run: PollRun): PollRun => ({
  ...run,
  store: {
    ...run.store,
    records: {
      ...run.store.records,
      replace: async () => {
        throw new Error('the store does not answer');
      },
    },
  },
});

describe('a sweep', () => {
  it('adopts the operation of an unanswered send, although the last sweep was complete', async () => {
    const harness = createHarness({ simulator: { settings: { ...settings, runMs: [1, 1] } } });
    await harness.submit({ data: smallJob({ jobKey: 'seen' }) });
    harness.clock.advance(5 * MINUTE_MS);
    await sweepProject(beginRun(harness), project);
    expect((await recordOf(harness, 'seen')).state).toBe('SUCCEEDED');
    harness.simulator.failNext('export', { kind: 'lost' });
    harness.simulator.failNext('export', { kind: 'reset' }, 2);
    await harness.submit({ data: smallJob({ jobKey: 'lost' }) });
    harness.clock.advance(MINUTE_MS);
    await sweepProject(beginRun(harness), project);
    expect(await recordOf(harness, 'lost')).toHaveProperty('operation');
  });

  it('finds an extra operation once in a while, although nothing is missing', async () => {
    const harness = createHarness({ simulator: { settings } });
    await harness.submit({ data: smallJob() });
    await sweepProject(beginRun(harness), project);
    const { requestId } = await recordOf(harness, 'test/1');
    await startAtEarthEngine(harness, 'late', `small_${requestId}`);
    harness.clock.advance(60 * MINUTE_MS);
    await sweepProject(beginRun(harness), project);
    expect((await recordOf(harness, 'test/1')).extraOperations).toHaveLength(1);
  });

  it('tries again what it could not write', async () => {
    const harness = createHarness({ simulator: { settings } });
    await harness.submit({ data: smallJob() });
    await sweepProject(beginRun(harness), project);
    harness.clock.advance(2 * MINUTE_MS);
    await sweepProject(withoutWrites(beginRun(harness)), project);
    expect((await recordOf(harness, 'test/1')).state).toBe('PENDING');
    await sweepProject(beginRun(harness), project);
    expect((await recordOf(harness, 'test/1')).state).toBe('RUNNING');
  });

  it('does not make a claim due that it could not write: its holder may be sending', async () => {
    const harness = createHarness({ simulator: { settings } });
    harness.simulator.failNext('export', { kind: 'lost' });
    harness.simulator.failNext('export', { kind: 'reset' }, 2);
    await harness.submit({ data: smallJob() });
    const [stored] = await harness.records();
    const leaseUntil = new Date(harness.clock.now().getTime() + 2 * MINUTE_MS);
    const claimed = {
      ...stored?.value,
      state: 'SUBMITTING',
      claim: { token: 'x', leaseUntil },
      dueAt: leaseUntil,
    };
    if (stored) {
      await harness.store.records.replace(stored, claimed as never);
    }
    const run = beginRun(harness);
    let writes = 0;
    const onceFailing: PollRun = {
      ...run,
      store: {
        ...run.store,
        records: {
          ...run.store.records,
          replace: (...write) => {
            writes += 1;
            return writes === 1
              ? Promise.reject(new Error('the store does not answer'))
              : harness.store.records.replace(...write);
          },
        },
      },
    };
    await sweepProject(onceFailing, project);
    expect(await recordOf(harness, 'test/1')).toMatchObject({ state: 'SUBMITTING', dueAt: leaseUntil });
  });
});

describe('an unreadable snapshot', () => {
  it('is made anew', async () => {
    const memory = createMemoryStore();
    const harness = createHarness({ store: memory, simulator: { settings } });
    await harness.submit({ data: smallJob() });
    memory.put(`videoExportSweeps/${project}`, { known: 'damaged' });
    await sweepProject(beginRun(harness), project);
    const snapshot = await harness.store.sweeps.get(project);
    expect(snapshot && isReadable(snapshot)).toBe(true);
  });
});
