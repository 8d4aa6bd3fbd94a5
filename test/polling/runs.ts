import type { EarthEngine } from '../../shared/earth-engine/api.ts';
import { beginRun as begin } from '../../shared/polling/begin-run.ts';
import type { PollRun } from '../../shared/polling/poll-run.ts';
import { createGate } from '../../shared/submission/gate.ts';
import type { Harness } from '../harness.ts';

/** A run that has just begun, for the tests of its parts. `change` replaces calls to Earth Engine. */
export function beginRun(harness: Harness, change: Partial<EarthEngine> = {}): PollRun {
  const { config, services } = harness;
  const changed = { ...services, earthEngine: { ...services.earthEngine, ...change } };
  return begin(changed, createGate(changed), config.pollBudgetMs);
}
