import { describe, expect, it } from 'vitest';

import { createMemoryStore } from '../../infra/local/memory/store.ts';
import { MINUTE_MS, SECOND_MS } from '../../shared/clock.ts';
import { countStore } from '../counting-store.ts';
import { createHarness, smallJob } from '../harness.ts';
import { sample } from '../record/samples.ts';
import { hold } from './rig.ts';

/** BUDGET_RECORDS=100000 checks a large service. */
const RECORDS = Number(process.env['BUDGET_RECORDS'] ?? 5000);
const BUDGETS = 50;

describe(`${BUDGETS} budgets over ${RECORDS} records`, () => {
  it('cost a few reads a poll, and admission one read in five seconds', { timeout: 300_000 }, async () => {
    const memory = createMemoryStore();
    const counting = countStore(memory);
    const harness = createHarness({ store: counting });
    const finishedAt = harness.clock.now();
    const ended = sample('SUCCEEDED', { project: 'demo-test', eecuSeconds: 1, finishedAt });
    for (let n = 0; n < RECORDS; n += 1) {
      memory.put(`videoExports/ve1-${n}`, { ...ended, labels: { team: `team-${n % BUDGETS}` } });
    }
    await harness.poll();
    counting.takeBill();
    await harness.poll();
    const without = counting.takeBill().reads;
    for (let n = 0; n < BUDGETS; n += 1) {
      memory.put(`exportBudgets/team-${n}`, {
        ...hold(1e6, { match: { label: { key: 'team', value: `team-${n}` } } }),
      });
    }
    await harness.poll();
    counting.takeBill();
    await harness.poll();
    const reads = counting.takeBill().reads - without;
    // Each budget, two sums over its records (one read per thousand), and the figures.
    const perBudget = 1 + Math.ceil(RECORDS / BUDGETS / 1000) + 1;
    expect(reads).toBeLessThanOrEqual(BUDGETS * perBudget + 2);

    const admission = async (): Promise<number> => {
      counting.takeBill();
      await harness.submit({ data: smallJob({ jobKey: `job ${harness.clock.now().getTime()}` }) });
      return counting.takeBill().reads;
    };
    await admission();
    const cached = await admission();
    harness.clock.advance(6 * SECOND_MS);
    const gateReads = 3;
    expect(await admission()).toBeLessThanOrEqual(cached + gateReads + 1);
    harness.clock.advance(MINUTE_MS);
  });
});
