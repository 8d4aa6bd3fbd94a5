import { describe, expect, it, vi } from 'vitest';

import { MINUTE_MS } from '../../shared/clock.ts';
import { feedFleet } from './fleet-feeding.ts';
import { fillProjects, projectNames } from './fleet-jobs.ts';
import { type Fleet, longestGapMs, overlaps, runFleet } from './fleet.ts';

vi.setConfig({ testTimeout: 120_000 });

const pollsOf = ({ runs }: Fleet): number[] => {
  const counts = new Map<string, number>();
  for (const { project, endMs } of runs) {
    counts.set(project, (counts.get(project) ?? 0) + (endMs === undefined ? 0 : 1));
  }
  return [...counts.values()];
};

describe('256 projects', () => {
  it('are polled once a minute each, by one instance at a time, and twice as fast by twice as many', async () => {
    const harness = await fillProjects(256, { jobs: 2 });
    const rounds: number[] = [];
    for (const instances of [1, 2, 4]) {
      const fleet = await runFleet(harness, { minutes: 3, instances });
      expect(pollsOf(fleet)).toEqual(Array.from({ length: 256 }, () => 3));
      expect(overlaps(fleet.runs)).toEqual([]);
      rounds.push(fleet.lastRoundMs);
    }
    const [one = 0, two = 0, four = 0] = rounds;
    expect(one / two).toBeGreaterThan(1.7);
    expect(two / four).toBeGreaterThan(1.6);
  });

  it('are all polled in the next minute at the latest if an instance dies', async () => {
    const fleet = await runFleet(await fillProjects(256, { jobs: 2 }), {
      instances: 2,
      minutes: 4,
      killAfterMs: MINUTE_MS + 2000,
    });
    expect(fleet.runs.filter(({ endMs }) => endMs === undefined).length).toBeGreaterThan(0);
    expect(new Set(pollsOf(fleet).map((polls) => polls >= 3))).toEqual(new Set([true]));
    expect(overlaps(fleet.runs)).toEqual([]);
    expect(longestGapMs(fleet.runs)).toBeLessThan(2 * MINUTE_MS);
  });
});

describe('projects whose jobs wait', () => {
  /** A job takes a second, since the calls of a project do not go faster. */
  const slow = { jobs: 1, cpuMs: 3, sendCpuMs: 7, environment: { EARTHENGINE_REQUESTS_PER_SECOND: '1' } };
  const nothingWrong = { missed: 0, overlaps: 0, lost: 0, doubled: 0 };

  it('are polled once a minute each, however long it takes to feed their queues', async () => {
    const fed = await feedFleet({ ...slow, projects: 128, waiting: 8, instances: 1 });
    expect(fed).toMatchObject(nothingWrong);
    expect(fed.longestGapMs).toBeLessThan(1.2 * MINUTE_MS);
  });

  it('are fed twice as fast by twice as many instances, until each has all it can take', async () => {
    const times: number[] = [];
    for (const instances of [1, 2, 4, 8]) {
      const fed = await feedFleet({ ...slow, projects: 64, waiting: 4, instances });
      expect(fed).toMatchObject(nothingWrong);
      times.push(fed.tookMs);
    }
    const [one = 0, two = 0, four = 0, eight = 0] = times;
    expect(one / two).toBeGreaterThan(1.6);
    expect(two / four).toBeGreaterThan(1.6);
    expect(four / eight).toBeLessThan(1.1);
  });

  it('lose a minute at most, and no job, if an instance dies while it feeds them', async () => {
    const fed = await feedFleet({ ...slow, projects: 64, waiting: 8, instances: 2, killAfterMs: 4000 });
    expect(fed).toMatchObject(nothingWrong);
    expect(fed.killedFeeding).toBeGreaterThan(0);
    expect(fed.longestGapMs).toBeLessThan(2 * MINUTE_MS);
  });

  it('are fed in turns if the instances have no room for all of them', async () => {
    const projects = projectNames(40);
    const harness = await fillProjects(40, { jobs: 1, waiting: 300, environment: slow.environment });
    const { runs } = await runFleet(harness, { ...slow, instances: 1, minutes: 6, projects });
    const fed = new Set(runs.filter(({ feeds }) => feeds).map(({ project }) => project));
    // An instance has room for 16 in a minute.
    expect(fed.size).toBeGreaterThan(32);
  });
});
