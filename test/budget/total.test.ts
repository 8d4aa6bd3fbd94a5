import { describe, expect, it } from 'vitest';

import { DAY_MS, later } from '../../shared/clock.ts';
import { refreshBudgets } from '../../shared/budget/refresh.ts';
import { sample } from '../record/samples.ts';
import { createFaultyProcess, faultKinds } from '../submission/faults.ts';
import { createBudgetRig, hold } from './rig.ts';

/** Records expire, and a budget in total neither forgets what they cost, nor counts it twice. */

const spentOf = (rig: ReturnType<typeof createBudgetRig>): number => {
  const status = rig.memory.peek('exportBudgetStatus/current') as { budgets: { spentEecuSeconds: number }[] };
  return (status.budgets[0]?.spentEecuSeconds ?? 0) / 3600;
};

/** Deletes what has expired, as Firestore's TTL does. */
async function expire(rig: ReturnType<typeof createBudgetRig>): Promise<void> {
  for (const { id, value } of await rig.records()) {
    if ('expireAt' in value && value.expireAt <= rig.clock.now()) {
      rig.memory.remove(`videoExports/${id}`);
    }
  }
}

const end = async (rig: ReturnType<typeof createBudgetRig>, id: string): Promise<void> => {
  const finishedAt = rig.clock.now();
  await rig.ended(id, 1, { finishedAt, expireAt: later(finishedAt, 90 * DAY_MS) });
};

describe('a budget in total', () => {
  it('remembers what expired records have cost, for a year', async () => {
    const rig = createBudgetRig();
    rig.budget('all', hold(1e6, { period: 'TOTAL' }));
    for (let day = 0; day < 365; day += 1) {
      await end(rig, `ve1-${day}`);
      await rig.poll();
      expect(spentOf(rig)).toBeCloseTo(day + 1, 6);
      await expire(rig);
      rig.clock.advance(DAY_MS);
    }
    expect((await rig.records()).length).toBeLessThan(100);
  });

  it('counts a job whose end is recorded weeks later', async () => {
    const rig = createBudgetRig();
    rig.budget('all', hold(1e6, { period: 'TOTAL' }));
    const startedAt = rig.clock.now();
    const running = sample('RUNNING', { project: 'demo-test', movedAt: later(startedAt, DAY_MS) });
    rig.memory.put('videoExports/ve1-late', { ...running });
    rig.clock.advance(30 * DAY_MS);
    await refreshBudgets(rig.services);
    rig.memory.remove('videoExports/ve1-late');
    await rig.ended('ve1-late', 1, { finishedAt: later(startedAt, 2 * DAY_MS) });
    rig.clock.advance(2 * DAY_MS);
    await refreshBudgets(rig.services);
    expect(spentOf(rig)).toBeCloseTo(1, 6);
  });

  it.each(
    faultKinds.flatMap((kind) =>
      (['records.sum', 'budgetStatus.replace', 'budgetStatus.get', 'records.find'] as const).flatMap((step) =>
        [1, 2, 3].map((occurrence) => ({ kind, step, occurrence })),
      ),
    ),
  )('counts each record once after $kind at $step $occurrence', async (fault) => {
    const rig = createBudgetRig();
    rig.budget('all', hold(1e6, { period: 'TOTAL' }));
    for (let day = 0; day < 40; day += 2) {
      await end(rig, `ve1-${day}`);
      rig.clock.advance(2 * DAY_MS);
    }
    await rig.poll();
    for (let day = 0; day < 100; day += 10) {
      rig.clock.advance(10 * DAY_MS);
      const faulty = createFaultyProcess(rig.clock, fault);
      await rig
        .instance((services) => faulty.wrap(services))
        .poll()
        .catch(() => undefined);
      await expire(rig);
      await rig.poll();
      expect(spentOf(rig)).toBeCloseTo(20, 6);
    }
    expect(await rig.records()).toEqual([]);
  });
});
