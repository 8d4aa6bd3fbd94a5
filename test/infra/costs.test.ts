import { readFile } from 'node:fs/promises';
import { join } from 'node:path';

import { describe, expect, it } from 'vitest';

import { MINUTE_MS } from '../../shared/clock.ts';
import { createHarness, smallJob } from '../harness.ts';
import { createMemoryStore } from '../../infra/local/memory/store.ts';
import { countStore } from '../counting-store.ts';
import { root } from './stack.ts';

/** Counts the operations from which OPERATIONS.md computes the costs. */

const JOBS = 200;

async function countedRun() {
  const store = countStore(createMemoryStore());
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
    // The test's own reads are not the service's.
    store.bill.reads -= JOBS;
  }
  const done = { ...store.bill };
  harness.clock.advance(60 * MINUTE_MS);
  await harness.poll();
  const idleReads = store.bill.reads - done.reads;
  const lines = harness.logged.filter(({ event }) => event !== 'poll.finished').length;
  return {
    'Firestore writes': done.writes / JOBS,
    'Firestore reads': (done.reads - polls * idleReads) / JOBS,
    'its queries': idleReads,
    logs: lines / JOBS,
    events: harness.publisher.published.length / JOBS,
  };
}

describe('the cost of a job', () => {
  it('is what OPERATIONS.md states', async () => {
    const guide = await readFile(join(root, 'infra/OPERATIONS.md'), 'utf8');
    const stated = (item: string) => Number(guide.match(new RegExp(`\\| ${item} \\| (\\d+) `))?.[1]);
    const { events, ...counts } = await countedRun();
    for (const [item, count] of Object.entries(counts)) {
      const message = `${item}: ${count} counted, ${stated(item)} stated`;
      expect(count, message).toBeLessThanOrEqual(stated(item) * 1.1);
      expect(count, message).toBeGreaterThanOrEqual(stated(item) * 0.75);
    }
    expect(guide).toContain(`${Math.ceil(events)} events of 3 kB`);
  });
});
