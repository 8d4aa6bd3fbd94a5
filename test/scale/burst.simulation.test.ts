import { beforeAll, describe, expect, it } from 'vitest';

import { type Burst, type BurstOptions, mostStartedWithin, runBurst } from './burst.ts';

/** `npm run bench -- drain` sends ten times as many jobs through ten times the queue. */
const options: BurstOptions = {
  jobs: 1000,
  queueLimit: 300,
  othersPending: 50,
  maxActive: 270,
  instances: 3,
  tooManyRequests: 0.004,
  startsPerSecond: 5,
};

describe('a thousand jobs at once through a shared queue of 300, with a few 429s,', () => {
  let burst: Burst;
  beforeAll(async () => {
    burst = await runBurst(options);
  }, 60_000);

  it('end SUCCEEDED, with one operation each', async () => {
    const { harness } = burst;
    const records = await harness.records();
    expect(records).toHaveLength(options.jobs);
    expect(new Set(records.map(({ value }) => value.state))).toEqual(new Set(['SUCCEEDED']));
    const operations = harness.simulator.operations();
    expect(operations).toHaveLength(options.jobs);
    const recorded = records.map(({ value }) => ('operation' in value ? value.operation : undefined));
    expect(new Set(recorded)).toEqual(new Set(operations.map(({ name }) => name)));
  });

  it('run into a full queue and 429s', () => {
    const outcomes = new Set(burst.harness.simulator.exportCalls.map(({ outcome }) => outcome));
    expect(outcomes).toContain('QUEUE_FULL');
    expect(outcomes).toContain('FAULT');
  });

  it('are delivered once each, so no message goes to the dead-letter topic', () => {
    expect(new Set(burst.deliveries)).toEqual(new Set([1]));
  });

  it('are started by priority if they had to wait', async () => {
    const { harness } = burst;
    const records = await harness.records();
    const waited = new Map(
      records.flatMap(({ value }) =>
        value.history.some(({ state }) => state === 'WAITING') ? [[value.requestId, value.priority]] : [],
      ),
    );
    const started = harness.simulator.exportCalls
      .filter(({ outcome }) => outcome === 'STARTED')
      .flatMap(({ requestId }) => waited.get(requestId ?? '') ?? []);
    expect(started.length).toBeGreaterThan(options.jobs / 2);
    // Eight are sent at a time and overtake each other; a job that got a 429 comes a little later.
    const late = started.filter((priority, n) => Math.max(0, ...started.slice(n + 1)) > priority);
    expect(late.length).toBeLessThanOrEqual(started.length / 20);
    expect(started.slice(0, 100).every((priority) => priority === 400)).toBe(true);
    expect(started.slice(-100).every((priority) => priority === 100)).toBe(true);
  });

  it('make few calls that are refused: one for each closing of the gate, and those in flight then', () => {
    const { exportCalls } = burst.harness.simulator;
    const refused = exportCalls.filter(({ outcome }) => outcome === 'QUEUE_FULL').length;
    expect(refused).toBeLessThan(options.jobs / 20);
  });
});

describe('jobs at once through an empty queue, with MAX_ACTIVE_OPERATIONS,', () => {
  it('exceed the limit by no more than all instances start in five seconds', async () => {
    const maxActive = 100;
    const jobs = 400;
    const { harness, deliveries } = await runBurst({
      ...options,
      jobs,
      maxActive,
      queueLimit: 10_000,
      othersPending: 0,
      tooManyRequests: 0,
    });
    const peak = harness.simulator.counters().projects['demo-test']?.peakActive ?? 0;
    expect(peak).toBeGreaterThanOrEqual(maxActive);
    expect(peak - maxActive).toBeLessThanOrEqual(mostStartedWithin(harness, 5000));
    expect(new Set(deliveries)).toEqual(new Set([1]));
    expect(harness.simulator.operations()).toHaveLength(jobs);
  });
});
