import type { EarthEngine } from '../../shared/earth-engine/api.ts';
import { partsOf, type PollRun } from '../../shared/polling/poll-run.ts';
import { createGate } from '../../shared/submission/gate.ts';
import { createListings } from '../../shared/submission/listings.ts';
import type { Harness } from '../harness.ts';

/** A run that has just begun, for the tests of its parts. `change` replaces calls to Earth Engine. */
export function beginRun(harness: Harness, change: Partial<EarthEngine> = {}): PollRun {
  const { clock, config, services } = harness;
  const earthEngine = { ...services.earthEngine, ...change };
  const changed = { ...services, earthEngine };
  const startedAt = clock.now();
  const ends = partsOf(startedAt, config.pollBudgetMs);
  return {
    ...changed,
    gate: createGate(changed),
    listings: createListings(changed),
    summary: {
      due: 0,
      changed: 0,
      submitted: 0,
      waiting: 0,
      rejected: 0,
      lost: 0,
      failed: 0,
      remaining: 0,
      calls: { export: 0, list: 0, get: 0 },
      seconds: 0,
    },
    startedAt,
    ends,
    gates: new Map(),
    failures: new Map(),
    hasDeliveries: false,
    feeds: new Map(),
    isOver: (part = 'run') => clock.now() >= ends[part],
  };
}
