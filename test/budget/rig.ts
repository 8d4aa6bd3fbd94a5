import { HOUR_MS, later } from '../../shared/clock.ts';
import type { Budget } from '../../shared/model/budget.ts';
import type { ExportRecord } from '../../shared/model/record.ts';
import type { MemoryStore } from '../../infra/local/memory/store.ts';
import { createMemoryStore } from '../../infra/local/memory/store.ts';
import { createHarness, type Harness, type HarnessOptions, smallJob } from '../harness.ts';
import { sample } from '../record/samples.ts';

/** A harness with budgets. */

export interface BudgetRig extends Harness {
  readonly memory: MemoryStore;
  /** Writes a budget as any Firestore client would. */
  budget(id: string, budget: object): void;
  /** Stores the record of a job that ended an hour ago. */
  ended(id: string, eecuHours: number, change?: Partial<ExportRecord>): Promise<void>;
  /** Publishes a small job. @returns its record's ID */
  publish(jobKey: string, change?: Record<string, unknown>): Promise<string>;
  /** The budget events that were published. */
  told(): Record<string, unknown>[];
}

export const hold = (limitEecuHours: number, change: Partial<Budget> = {}): Budget => ({
  match: {},
  period: 'MONTH',
  limitEecuHours,
  thresholds: [{ percent: 100, action: 'HOLD' }],
  ...change,
});

export function createBudgetRig(options: HarnessOptions = {}): BudgetRig {
  const memory = createMemoryStore();
  const harness = createHarness({ store: memory, ...options });
  return {
    ...harness,
    memory,
    budget: (id, budget) => memory.put(`exportBudgets/${id}`, { ...budget }),
    ended: async (id, eecuHours, change = {}) => {
      const finishedAt = later(harness.clock.now(), -HOUR_MS);
      const record = sample('SUCCEEDED', { project: 'demo-test', eecuSeconds: eecuHours * 3600, finishedAt });
      await memory.records.create(id, { ...record, ...change } as ExportRecord);
    },
    publish: async (jobKey, change = {}) => {
      const submitted = await harness.submit({ data: smallJob({ jobKey, ...change }) });
      if (!('recordId' in submitted)) {
        throw new Error(`rejected: ${JSON.stringify(submitted)}`);
      }
      return submitted.recordId;
    },
    told: () =>
      harness.publisher.published
        .filter(({ message }) => message.attributes['kind'] === 'BUDGET')
        .map(({ message }) => JSON.parse(Buffer.from(message.data).toString()) as Record<string, unknown>),
  };
}
