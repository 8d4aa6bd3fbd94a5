import { describe, expect, it } from 'vitest';

import { MINUTE_MS } from '../../shared/clock.ts';
import type { BudgetStatus } from '../../shared/model/budget.ts';
import { createBudgetRig, hold } from './rig.ts';

/** The figures of all budgets are one document, of 1 MiB at most: they must fit, whatever is written to `exportBudgets`. */

const longest = (n: number): string => `${String(n).padStart(3, '0')}-${'x'.repeat(1490)}`;

const thresholds = Array.from({ length: 20 }, (_, n) => ({
  percent: n + 1,
  action: n === 19 ? ('HOLD' as const) : ('NOTIFY' as const),
}));

const statusOf = (rig: ReturnType<typeof createBudgetRig>): BudgetStatus =>
  rig.memory.peek('exportBudgetStatus/current') as BudgetStatus;

describe('the document of all figures', () => {
  it('has the first 200 budgets; the others hold nothing, and are logged', async () => {
    const rig = createBudgetRig();
    for (let n = 0; n < 201; n += 1) {
      const match = { label: { key: 'team', value: `team-${n}` } };
      rig.budget(String(n).padStart(3, '0'), hold(1, { match }));
    }
    await rig.ended('ve1-a', 2, { labels: { team: 'team-199' } });
    await rig.ended('ve1-b', 2, { labels: { team: 'team-200' } });
    await rig.poll();
    expect(statusOf(rig).budgets).toHaveLength(200);
    expect(await rig.record(await rig.publish('a', { labels: { team: 'team-199' } }))).toMatchObject({
      heldBy: '199',
    });
    const last = await rig.publish('b', { labels: { team: 'team-200' } });
    expect((await rig.record(last)).state).toBe('PENDING');
    expect(rig.logged.filter(({ event }) => event === 'budget.failed')).toMatchObject([
      { error: { message: expect.stringContaining('Only the first 200 budgets count') as string } },
    ]);
  });

  it('has room for 200 budgets of the largest kind that also fail', async () => {
    const rig = createBudgetRig();
    const job = {
      project: 'p'.repeat(100),
      batchId: 'b'.repeat(129),
      labels: { ['k'.repeat(63)]: 'v'.repeat(63) },
    };
    const match = {
      project: job.project,
      batchIdPrefix: job.batchId,
      label: { key: 'k'.repeat(63), value: 'v'.repeat(63) },
    };
    for (let n = 0; n < 200; n += 1) {
      rig.budget(longest(n), hold(1, { match, thresholds, period: 'TOTAL', strict: true }));
    }
    await rig.ended('ve1-a', 2, job);
    rig.publisher.failing = true;
    await rig.poll();
    const { records } = rig.memory;
    const failing = rig.instance((services) => ({
      ...services,
      store: {
        ...services.store,
        records: { ...records, sum: async () => Promise.reject(new Error('\u{1F4A5}'.repeat(1000))) },
      },
    }));
    rig.clock.advance(MINUTE_MS);
    await failing.poll();
    const { budgets } = statusOf(rig);
    expect(budgets).toHaveLength(200);
    expect(budgets.at(-1)).toMatchObject({
      problem: expect.any(String) as string,
      told: expect.objectContaining({ length: 20 }) as object,
      settled: { eecuSeconds: 0 },
    });
  });

  it('drops the oldest events of an outage of the topic, and goes on', async () => {
    const rig = createBudgetRig();
    await rig.ended('ve1-a', 1000);
    rig.publisher.failing = true;
    for (let change = 1; change <= 40; change += 1) {
      for (let n = 0; n < 3; n += 1) {
        rig.budget(longest(n), hold(change, { thresholds }));
      }
      rig.clock.advance(MINUTE_MS);
      await rig.poll();
    }
    const { unpublishedEvents = [] } = statusOf(rig);
    expect(unpublishedEvents.at(-1)).toMatchObject({ limitEecuHours: 40 });
    expect(unpublishedEvents.length).toBeGreaterThan(40);
    rig.publisher.failing = false;
    rig.clock.advance(MINUTE_MS);
    await rig.poll();
    expect(rig.told()).toHaveLength(unpublishedEvents.length);
    expect(rig.logged.some(({ event }) => event === 'budget.events_dropped')).toBe(true);
  });
});
