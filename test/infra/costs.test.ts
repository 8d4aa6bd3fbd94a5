import { readFile } from 'node:fs/promises';
import { join } from 'node:path';

import { describe, expect, it } from 'vitest';

import { MINUTE_MS } from '../../shared/clock.ts';
import { createHarness, smallJob } from '../harness.ts';
import { createCountedStore } from './counted-store.ts';
import { root } from './stack.ts';

/** OPERATIONS.md's arithmetic starts from these numbers; here they are counted. */

const JOBS = 200;

async function countedRun() {
  const { store, operations } = createCountedStore();
  const harness = createHarness({
    store,
    simulator: {
      settings: { concurrency: 20, startsPerSecond: 20, runMs: [10 * MINUTE_MS, 10 * MINUTE_MS] },
    },
  });
  for (let job = 0; job < JOBS; job += 1) {
    await harness.submit({ data: smallJob({ jobKey: `cost/${job}` }) });
  }
  let polls = 0;
  for (let open = JOBS; open > 0; polls += 1) {
    harness.clock.advance(MINUTE_MS);
    await harness.poll();
    open = (await harness.records()).filter(({ value }) => value.state !== 'SUCCEEDED').length;
    // The test's own look is not the service's.
    operations.reads -= JOBS;
  }
  const done = { ...operations };
  harness.clock.advance(60 * MINUTE_MS);
  await harness.poll();
  const idleReads = operations.reads - done.reads;
  const lines = harness.logged.filter(({ event }) => event !== 'poll.finished').length;
  return {
    'Firestore writes': done.writes / JOBS,
    'Firestore reads': (done.reads - polls * idleReads) / JOBS,
    'its queries': idleReads,
    logs: lines / JOBS,
    events: harness.publisher.published.length / JOBS,
  };
}

describe('what a job costs', () => {
  it('is what OPERATIONS.md counts', async () => {
    const guide = await readFile(join(root, 'infra/OPERATIONS.md'), 'utf8');
    const stated = (what: string) => Number(guide.match(new RegExp(`\\| ${what} \\| (\\d+) `))?.[1]);
    const { events, ...counts } = await countedRun();
    for (const [what, count] of Object.entries(counts)) {
      const told = `${what}: ${count} counted, ${stated(what)} stated`;
      expect(count, told).toBeLessThanOrEqual(stated(what) * 1.1);
      expect(count, told).toBeGreaterThanOrEqual(stated(what) * 0.75);
    }
    expect(guide).toContain(`${Math.ceil(events)} events of 3 kB`);
  });
});
