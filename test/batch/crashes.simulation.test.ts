import { describe, expect, it } from 'vitest';

import { expandBatch } from '../../shared/batch/expand-batch.ts';
import { retryJobs } from '../../shared/retry/retry.ts';
import { cancelExports } from '../../shared/cancellation/cancel-exports.ts';
import type { Services } from '../../shared/services.ts';
import { isReadable } from '../../shared/store/store.ts';
import { createHarness, envelopeOf, type Harness } from '../harness.ts';
import { smallManifest } from './manifests.ts';

/** A process that dies at each of its calls to the outside world in turn, before or after the call. */

const JOBS = 6;
const batchId = 'small@2026-11-23';
const manifest = envelopeOf({ data: smallManifest(JOBS), messageId: 'manifest' });
const cancellation = envelopeOf({ data: { batchId }, messageId: 'cancellation' });

interface Dying {
  readonly services: Services;
  /** The number of calls so far; none succeeds from the fatal one on. */
  calls(): number;
}

function dyingAt(services: Services, fatal: number, when: 'before' | 'after'): Dying {
  let calls = 0;
  const mortal = <T extends object>(target: T): T =>
    new Proxy(target, {
      get(from, name) {
        const value: unknown = Reflect.get(from, name);
        if (typeof value === 'object' && value !== null) {
          return mortal(value);
        }
        if (typeof value !== 'function') {
          return value;
        }
        return async (...args: unknown[]): Promise<unknown> => {
          calls += 1;
          if (calls > fatal || (calls === fatal && when === 'before')) {
            throw new Error('died');
          }
          const result: unknown = await (value as (...given: unknown[]) => unknown).apply(from, args);
          if (calls >= fatal) {
            throw new Error('died');
          }
          return result;
        };
      },
    });
  const { store, publisher, earthEngine } = services;
  return {
    services: {
      ...services,
      store: mortal(store),
      publisher: mortal(publisher),
      earthEngine: mortal(earthEngine),
    },
    calls: () => calls,
  };
}

/** Plays a scenario once for each call that `work` makes, dying there, and once without dying. */
async function atEveryCall(
  prepare: () => Promise<Harness>,
  work: (services: Services) => Promise<unknown>,
  recover: (harness: Harness) => Promise<void>,
): Promise<number> {
  for (let fatal = 1; ; fatal += 1) {
    let survived = false;
    for (const when of ['before', 'after'] as const) {
      const harness = await prepare();
      const dying = dyingAt(harness.services, fatal, when);
      await work(dying.services).catch((error: unknown) => {
        expect(String(error)).toContain('died');
      });
      survived = dying.calls() < fatal;
      harness.clock.advance(120_000);
      await recover(harness);
    }
    if (survived) {
      return fatal - 1;
    }
  }
}

/** Delivers everything that was published to the job topic, every time: Pub/Sub promises at-least-once delivery. */
async function deliverJobs(harness: Harness): Promise<void> {
  const { publisher, config } = harness;
  for (const { topic, message } of publisher.published) {
    if (topic === config.topics.jobs) {
      await harness.submit({ data: message.data });
    }
  }
}

async function finishedBatch(harness: Harness) {
  await harness.untilQuiet();
  harness.clock.advance(600_000);
  await harness.poll();
  const found = await harness.store.batches.get(batchId);
  return found && isReadable(found) ? found.value : undefined;
}

const settings = { pendingMs: 0, startsPerSecond: 100, concurrency: 3 };

describe('a process that dies at any of its calls', () => {
  it('while it expands a batch leaves one that the next delivery completes', async () => {
    const calls = await atEveryCall(
      async () => createHarness({ simulator: { settings } }),
      (services) => expandBatch(services, manifest),
      async (harness) => {
        await deliverJobs(harness);
        await expandBatch(harness.services, manifest);
        await deliverJobs(harness);
        expect(await finishedBatch(harness)).toMatchObject({
          state: 'FINISHED',
          counts: { SUCCEEDED: JOBS },
        });
        expect(harness.simulator.operations()).toHaveLength(JOBS);
      },
    );
    expect(calls).toBeGreaterThan(5);
  });

  it('while it cancels a batch leaves none of its jobs running', async () => {
    const calls = await atEveryCall(
      async () => {
        const harness = createHarness({
          simulator: { settings: { ...settings, runMs: [36e6, 36e6] } },
          environment: { MAX_ACTIVE_OPERATIONS: '3' },
        });
        await expandBatch(harness.services, manifest);
        await deliverJobs(harness);
        return harness;
      },
      (services) => cancelExports(services, cancellation),
      async (harness) => {
        await cancelExports(harness.services, cancellation);
        expect(await finishedBatch(harness)).toMatchObject({
          state: 'FINISHED',
          counts: { CANCELLED: JOBS },
        });
        const states = harness.simulator.operations().map(({ state }) => state);
        expect(states).toEqual(['CANCELLED', 'CANCELLED', 'CANCELLED']);
      },
    );
    expect(calls).toBeGreaterThan(10);
  });

  it('while it retries a batch leaves each job with one more attempt', async () => {
    const failing = [{ pattern: 'n-', code: 13, message: 'Internal error.' }];
    const calls = await atEveryCall(
      async () => {
        const harness = createHarness({ simulator: { settings: { ...settings, failing } } });
        await expandBatch(harness.services, manifest);
        await deliverJobs(harness);
        expect(await finishedBatch(harness)).toMatchObject({ counts: { FAILED: JOBS } });
        harness.simulator.set({ failing: [] });
        return harness;
      },
      (services) => retryJobs(services, { batchId }),
      async (harness) => {
        await harness.poll();
        await retryJobs(harness.services, { batchId });
        expect(await finishedBatch(harness)).toMatchObject({
          state: 'FINISHED',
          counts: { FAILED: JOBS, SUCCEEDED: JOBS },
        });
        expect(harness.simulator.operations()).toHaveLength(2 * JOBS);
      },
    );
    expect(calls).toBeGreaterThan(10);
  });
});
