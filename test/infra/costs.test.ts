import { readFile } from 'node:fs/promises';
import { join } from 'node:path';

import { describe, expect, it } from 'vitest';

import { MINUTE_MS } from '../../shared/clock.ts';
import { createHarness, smallJob } from '../harness.ts';
import { createMemoryStore } from '../../infra/local/memory/store.ts';
import { countStore } from '../counting-store.ts';
import { at, keysOf, readStack, root } from './stack.ts';

/** Counts the operations from which OPERATIONS.md computes the costs. */

const JOBS = 200;

async function countedRun() {
  const store = countStore(createMemoryStore());
  const harness = createHarness({
    store,
    deliveries: [],
    simulator: {
      settings: { concurrency: 20, startsPerSecond: 20, runMs: [10 * MINUTE_MS, 10 * MINUTE_MS] },
    },
  });
  for (let job = 0; job < JOBS; job += 1) {
    const cloudStorageDestination = { bucket: 'my-bucket', filenamePrefix: `cost-${job}-` };
    const fileExportOptions = { fileFormat: 'MP4', cloudStorageDestination };
    await harness.submit({ data: smallJob({ jobKey: `cost/${job}` }, { fileExportOptions }) });
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
    'Cloud Storage': Object.values(harness.buckets.counters.calls).reduce((sum, calls) => sum + calls) / JOBS,
    logs: lines / JOBS,
    events: harness.publisher.published.length / JOBS,
  };
}

const guide = await readFile(join(root, 'infra/OPERATIONS.md'), 'utf8');

/** The rows of the table whose last column has this heading, without the heading. */
function table(heading: string): string[][] {
  const lines = guide.split('\n');
  const start = lines.findIndex((line) => line.endsWith(`| ${heading} |`)) + 2;
  const end = lines.indexOf('', start);
  return lines.slice(start, end).map((line) => line.slice(2, -2).split(' | '));
}

describe('the cost of a job', () => {
  it('is counted as OPERATIONS.md states it', async () => {
    const stated = (item: string) => Number(guide.match(new RegExp(`\\| ${item} \\| (\\d+) `))?.[1]);
    const { events, ...counts } = await countedRun();
    for (const [item, count] of Object.entries(counts)) {
      const message = `${item}: ${count} counted, ${stated(item)} stated`;
      expect(count, message).toBeLessThanOrEqual(stated(item) * 1.1);
      expect(count, message).toBeGreaterThanOrEqual(stated(item) * 0.75);
    }
    expect(guide).toContain(`${Math.ceil(events)} events of 3 kB`);
  });

  it.each(['$ per 1,000 jobs', '$ per month'])('adds up in the table %s', (heading) => {
    const rows = table(heading);
    const amounts = rows.map((row) => Number(row.at(-1)?.replaceAll('*', '')));
    const sum = amounts.pop() ?? 0;
    expect(rows.at(-1)?.[0]).toBe('**sum**');
    expect(rows.length).toBeGreaterThan(5);
    expect(amounts.reduce((total, amount) => total + amount, 0)).toBeCloseTo(sum, 4);
  });

  it('results in the totals per month', () => {
    const sum = (heading: string) => Number(table(heading).at(-1)?.at(-1)?.replaceAll('*', ''));
    const [, , ...jobs] = guide.match(/^\| (jobs per month) \| ([\d,]+) \| ([\d,]+) \| ([\d,]+) \|$/m) ?? [];
    const [, ...totals] =
      guide.match(/\*\*total.*?\*\* \| \*\*(.*?)\*\* \| \*\*(.*?)\*\* \| \*\*(.*?)\*\* \|/) ?? [];
    expect(jobs).toEqual(['100', '3,000', '100,000']);
    for (const [n, total] of totals.entries()) {
      const count = Number(jobs[n]?.replaceAll(',', ''));
      expect(Number(total)).toBeCloseTo(sum('$ per month') + (count / 1000) * sum('$ per 1,000 jobs'), 2);
    }
  });

  it('counts the metrics and the conditions of the alerts', async () => {
    const { locals, resources } = await readStack();
    const metrics = keysOf(at(locals, 'counters')).length + keysOf(at(locals, 'gauges')).length;
    // scheduler_failures is separate.
    expect(guide).toContain(`| ${metrics + 1} metrics |`);
    const thresholds = Object.values(at(locals, 'alerts') as Record<string, { conditions: unknown[] }>);
    const pollSilent = at(resources, 'google_monitoring_alert_policy.poll_silent', 'conditions') as unknown[];
    const conditions = thresholds.reduce((sum, alert) => sum + alert.conditions.length, pollSilent.length);
    expect(guide).toContain(`| ${conditions} conditions |`);
  });
});
