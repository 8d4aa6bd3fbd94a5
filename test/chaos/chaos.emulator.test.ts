import { expect, it } from 'vitest';

import { runChaos } from './chaos.ts';
import { report } from './report.ts';

// A short run; continuous integration makes a longer one, and people as long as they like (`npm run chaos`).
it('loses nothing, doubles nothing and tells the truth while processes, networks and Earth Engine fail', async () => {
  const result = await runChaos({ jobs: 30, seconds: 6, seed: 1 });
  expect(result.problems, report(result)).toEqual([]);
  // Trouble there was: a quiet run would prove nothing.
  expect(result.tally.of('sent:SIGKILL') + result.tally.of('sent:SIGTERM')).toBeGreaterThan(0);
  expect(result.tally.of('cut:Firestore')).toBeGreaterThan(0);
  expect(result.tally.of('delivery:copied')).toBeGreaterThan(0);
  expect(result.tally.under('fault:')).not.toEqual([]);
}, 180_000);
