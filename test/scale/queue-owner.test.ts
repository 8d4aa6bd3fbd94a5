import { describe, expect, it } from 'vitest';

import { MINUTE_MS } from '../../shared/clock.ts';
import { createHarness, smallJob } from '../harness.ts';

/** Earth Engine's queue belongs to a project, as documented, or to a user across projects, as field reports say. */

const LIMIT = 10;
const JOBS = 24;
const projects = ['demo-a', 'demo-b'];

async function submitAll(queueOwner: 'PROJECT' | 'USER') {
  const harness = createHarness({
    environment: { ALLOWED_PROJECTS: '*' },
    simulator: {
      settings: {
        queueLimit: LIMIT,
        queueOwner,
        concurrency: 2,
        startsPerSecond: 1000,
        pendingMs: 0,
        runMs: [2 * MINUTE_MS, 3 * MINUTE_MS],
      },
    },
  });
  for (let n = 0; n < JOBS; n += 1) {
    await harness.submit({ data: smallJob({ jobKey: `job/${n}`, project: projects[n % 2] }) });
  }
  return harness;
}

describe.each([
  ['PROJECT', 2 * LIMIT],
  ['USER', LIMIT],
] as const)('a queue that belongs to a %s', (queueOwner, atOnce) => {
  it('is filled, and fed until all jobs of both projects have succeeded', async () => {
    const harness = await submitAll(queueOwner);
    const { simulator } = harness;
    const active = () => simulator.operations().filter(({ endTime }) => endTime === undefined).length;
    // A task that has started makes room for another one.
    expect(active()).toBeGreaterThanOrEqual(atOnce);
    expect(active()).toBeLessThanOrEqual(atOnce + 2 * projects.length);
    await harness.untilQuiet();
    const records = (await harness.records()).map(({ value }) => value);
    expect(new Set(records.map(({ state }) => state))).toEqual(new Set(['SUCCEEDED']));
    for (const project of projects) {
      expect(records.filter((record) => record.project === project)).toHaveLength(JOBS / 2);
    }
    expect(simulator.operations()).toHaveLength(JOBS);
  });

  it('does not let the tasks of other people in a project hold up a user who owns the queue', async () => {
    const harness = createHarness({ simulator: { settings: { queueLimit: LIMIT, queueOwner } } });
    harness.simulator.setOthers('demo-test', { pending: LIMIT });
    await harness.submit({ data: smallJob() });
    const [stored] = await harness.records();
    expect(stored?.value.state).toBe(queueOwner === 'PROJECT' ? 'WAITING' : 'PENDING');
  });
});

describe("Earth Engine's own attempts", () => {
  it.each([
    [1, 'SUCCEEDED', 1],
    [3, 'SUCCEEDED', 3],
    [5, 'SUCCEEDED', 5],
    [6, 'FAILED', 5],
  ])('take %i runs and end as %s in attempt %i, as one operation', async (attempts, state, runAttempt) => {
    const harness = createHarness({
      simulator: {
        settings: { runMs: [20 * MINUTE_MS, 20 * MINUTE_MS], attempts: [{ pattern: '.', attempts }] },
      },
    });
    await harness.submit({ data: smallJob() });
    const seen: number[] = [];
    for (let poll = 0; poll < 60; poll += 1) {
      harness.clock.advance(2 * MINUTE_MS);
      await harness.poll();
      const [stored] = await harness.records();
      seen.push(stored && 'runAttempt' in stored.value ? (stored.value.runAttempt ?? 0) : 0);
    }
    const [stored] = await harness.records();
    expect(stored?.value).toMatchObject({ state, runAttempt, submissions: 1 });
    expect(new Set(seen.filter(Boolean))).toEqual(
      new Set(Array.from({ length: runAttempt }, (_, n) => n + 1)),
    );
    expect(harness.simulator.operations()).toHaveLength(1);
    if (state === 'FAILED') {
      expect(stored?.value).toMatchObject({ error: { code: 13, retryable: true } });
    }
  });
});
