import { describe, expect, it } from 'vitest';

import { HOUR_MS, MINUTE_MS } from '../../shared/clock.ts';
import type { EarthEngine, Operation } from '../../shared/earth-engine/api.ts';
import type { ExportRecord } from '../../shared/model/record.ts';
import type { SimulatorSettings } from '../../infra/local/simulator/index.ts';
import { createHarness, smallJob } from '../harness.ts';

/** EECU-seconds that the simulated Earth Engine reports for each second of a run. */
const RATE = 3.2;

/** A job that runs for 10 hours and is polled every 20 minutes, by a service that Earth Engine may report no cost to. */
async function createRun(settings: Partial<SimulatorSettings> = {}, reportsCost = true) {
  const harness = createHarness({
    simulator: { settings: { pendingMs: 0, runMs: [10 * HOUR_MS, 10 * HOUR_MS], ...settings } },
  });
  const service = harness.instance((services) =>
    reportsCost ? services : { ...services, earthEngine: withoutCost(services.earthEngine) },
  );
  await service.submit({ data: smallJob() });
  return {
    pass: async (hours: number): Promise<ExportRecord & { eecuSeconds?: number }> => {
      for (let polls = 0; polls < hours * 3; polls += 1) {
        harness.clock.advance(20 * MINUTE_MS);
        await service.poll();
      }
      const [stored] = await harness.records();
      return stored?.value as ExportRecord & { eecuSeconds?: number };
    },
    end: (state: 'FAILED' | 'CANCELLED') => {
      const [operation] = harness.simulator.operations();
      const error = state === 'FAILED' ? { error: { code: 3, message: 'Computation timed out.' } } : {};
      harness.simulator.endOperation(operation?.name ?? '', { state, ...error });
    },
  };
}

function withoutCost(earthEngine: EarthEngine): EarthEngine {
  const strip = (operation: Operation): Operation => ({ ...operation, eecuSeconds: undefined });
  return {
    ...earthEngine,
    getOperation: async (...args) => strip(await earthEngine.getOperation(...args)),
    listOperations: async (...args) => {
      const page = await earthEngine.listOperations(...args);
      return { ...page, operations: page.operations.map(strip) };
    },
  };
}

describe('the cost of a job', () => {
  it('grows while it runs', async () => {
    const { pass } = await createRun();
    const seen: number[] = [];
    for (let hour = 1; hour < 10; hour += 1) {
      const { state, eecuSeconds } = await pass(1);
      expect(state).toBe('RUNNING');
      seen.push(eecuSeconds ?? 0);
      expect(eecuSeconds).toBeGreaterThan((hour - 1) * 3600 * RATE);
      expect(eecuSeconds).toBeLessThanOrEqual(hour * 3600 * RATE);
    }
    expect(new Set(seen).size).toBe(9);
    expect(seen).toEqual(seen.toSorted((a, b) => a - b));
  });

  it.each([
    ['makes progress', {}],
    ['has stalled', { stalling: ['.'] }],
  ])('takes no writes of its own while a job %s', async (_name, settings) => {
    const [reported, unreported] = await Promise.all([createRun(settings), createRun(settings, false)]);
    for (let hour = 1; hour < 12; hour += 1) {
      const [withCost, without] = await Promise.all([reported.pass(1), unreported.pass(1)]);
      expect(withCost.revision).toBe(without.revision);
      expect(without).not.toHaveProperty('eecuSeconds');
    }
  });

  it('is final after a success', async () => {
    const { pass } = await createRun();
    const record = await pass(11);
    expect(record.state).toBe('SUCCEEDED');
    expect(record.eecuSeconds).toBeCloseTo(10 * 3600 * RATE);
    expect(record).not.toHaveProperty('eecuIsLowerBound');
  });

  it.each(['FAILED', 'CANCELLED'] as const)('is a lower bound after %s', async (state) => {
    const { pass, end } = await createRun();
    const { eecuSeconds } = await pass(5);
    expect(eecuSeconds).toBeGreaterThan(4 * 3600 * RATE);
    end(state);
    expect(await pass(1)).toMatchObject({ state, eecuSeconds, eecuIsLowerBound: true });
  });

  it('is unknown after a failure that no poll preceded', async () => {
    const { pass, end } = await createRun();
    end('FAILED');
    const record = await pass(1);
    expect(record).toMatchObject({ state: 'FAILED', eecuIsLowerBound: true });
    expect(record).not.toHaveProperty('eecuSeconds');
  });
});
