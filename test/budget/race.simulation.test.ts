import { describe, expect, it } from 'vitest';

import { MINUTE_MS, SECOND_MS } from '../../shared/clock.ts';
import { createRandom } from '../../infra/local/simulator/random.ts';
import { createFaultyProcess, faultKinds } from '../submission/faults.ts';
import { smallJob } from '../harness.ts';
import { createBudgetRig, hold } from './rig.ts';

/**
 * Submitters and pollers race at the limit of a budget, and one of them fails at a random step. What the budget may be
 * exceeded by is what Earth Engine had when the budget was used up, and nothing that was started later.
 */

const SEEDS = Number(process.env['BUDGET_SEEDS'] ?? 10);
const LIMIT_HOURS = 0.2;
const CACHE_MS = 5 * SECOND_MS;

const steps = [
  'records.sum',
  'budgets.find',
  'budgetStatus.get',
  'budgetStatus.create',
  'budgetStatus.replace',
  'events.publish',
  'records.create',
  'records.replace',
  'records.find',
  'ee.startExport',
  'ee.listOperations',
] as const;

async function play(seed: number): Promise<void> {
  const random = createRandom(seed);
  const pick = <T>(items: readonly T[]): T => items[Math.floor(random() * items.length)] as T;
  const rig = createBudgetRig({
    simulator: { seed, settings: { runMs: [MINUTE_MS, 4 * MINUTE_MS], concurrency: 3 } },
    environment: { MAX_ACTIVE_OPERATIONS: '6' },
  });
  rig.budget('all', hold(LIMIT_HOURS));
  const step = pick(steps);
  // While it cannot be read, a budget holds nothing unless it is strict: there, only a process that dies is no excuse.
  const isRead = step === 'records.sum' || step.startsWith('budget');
  const kinds = faultKinds.filter((kind) => !isRead || kind.startsWith('crash'));
  const fault = { step, occurrence: 1 + Math.floor(random() * 12), kind: pick(kinds) };
  const faulty = createFaultyProcess(rig.clock, fault);
  let processes = [rig.instance(), rig.instance((services) => faulty.wrap(services))];
  /** When the stored figures first said that the budget is used up. */
  let heldAt: Date | undefined;
  let reachedAt: Date | undefined;
  for (let turn = 0; turn < 40; turn += 1) {
    const isPoll = turn % 4 === 3;
    await Promise.allSettled(
      [
        processes.map((process, index) => process.submit({ data: smallJob({ jobKey: `${turn}/${index}` }) })),
        isPoll ? processes.map((process) => process.poll()) : [],
      ].flat<Promise<unknown>[][]>(),
    );
    const status = rig.memory.peek('exportBudgetStatus/current') as
      | { budgets: { holds: boolean }[] }
      | undefined;
    if (status?.budgets.some(({ holds }) => holds)) {
      heldAt ??= rig.clock.now();
    }
    if (reachedAt === undefined && spentHours(await rig.records()) >= LIMIT_HOURS) {
      reachedAt = rig.clock.now();
    }
    if (faulty.isDead()) {
      processes = [rig.instance(), rig.instance()];
    }
    rig.clock.advance(15 * SECOND_MS);
  }
  const context = `seed ${seed}, ${JSON.stringify(fault)}`;
  if (heldAt === undefined || reachedAt === undefined) {
    throw new Error(`${context}: the budget was never used up`);
  }
  // A poll a minute; the one that failed is repeated by the next.
  expect(heldAt.getTime() - reachedAt.getTime(), context).toBeLessThanOrEqual(2 * MINUTE_MS);
  const lastStart = Math.max(...rig.simulator.operations().map(({ createTime }) => Date.parse(createTime)));
  expect(lastStart, context).toBeLessThanOrEqual(heldAt.getTime() + CACHE_MS);
  // Everything that came later waits, and nothing is lost.
  const records = await rig.records();
  const held = records.filter(({ value }) => value.state === 'WAITING' && value.waitingFor === 'BUDGET');
  expect(held.length, context).toBeGreaterThan(0);
  expect(new Set(rig.told().map(({ percent }) => percent)).size, context).toBeLessThanOrEqual(1);
}

const spentHours = (records: Awaited<ReturnType<ReturnType<typeof createBudgetRig>['records']>>): number =>
  records.reduce((sum, { value }) => sum + ('eecuSeconds' in value ? (value.eecuSeconds ?? 0) : 0), 0) / 3600;

describe('submitters and pollers that race at the limit', () => {
  it(`exceed it only by what was at Earth Engine, over ${SEEDS} seeds`, { timeout: 600_000 }, async () => {
    for (let seed = 1; seed <= SEEDS; seed += 1) {
      await play(seed);
    }
  });
});
