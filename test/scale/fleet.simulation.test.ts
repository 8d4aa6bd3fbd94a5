import { describe, expect, it, vi } from 'vitest';

import { MINUTE_MS } from '../../shared/clock.ts';
import { fillProjects, type Fleet, longestGapMs, overlaps, runFleet } from './fleet.ts';

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
    const harness = await fillProjects(256, 2);
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
    const fleet = await runFleet(await fillProjects(256, 2), { instances: 2, minutes: 4, killAfterMs: 2000 });
    expect(fleet.runs.filter(({ endMs }) => endMs === undefined).length).toBeGreaterThan(0);
    expect(new Set(pollsOf(fleet).map((polls) => polls >= 3))).toEqual(new Set([true]));
    expect(overlaps(fleet.runs)).toEqual([]);
    expect(longestGapMs(fleet.runs)).toBeLessThan(2 * MINUTE_MS);
  });
});
