import { expect, it } from 'vitest';

import { runChaos } from './chaos.ts';
import { report } from './report.ts';

// A short run. `npm run chaos` runs longer.
it('loses nothing, duplicates nothing, and keeps records true while processes, networks, and Earth Engine fail', async () => {
  const result = await runChaos({ jobs: 30, seconds: 6, seed: 1 });
  expect(result.problems, report(result)).toEqual([]);
  // A run without faults would prove nothing.
  expect(result.tally.of('sent:SIGKILL') + result.tally.of('sent:SIGTERM')).toBeGreaterThan(0);
  expect(result.tally.of('cut:Firestore')).toBeGreaterThan(0);
  expect(result.tally.of('delivery:copied')).toBeGreaterThan(0);
  expect(result.tally.under('fault:')).not.toEqual([]);
}, 180_000);
