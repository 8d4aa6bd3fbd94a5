import { describe, expect, it } from 'vitest';

import { later, MINUTE_MS, SECOND_MS } from '../../shared/clock.ts';
import { EarthEngineError } from '../../shared/earth-engine/api.ts';
import type { ProjectStatus } from '../../shared/model/project-status.ts';
import { createPaces, type Paces } from '../../shared/submission/paces.ts';
import { createHarness, type TestClock } from '../harness.ts';

const project = 'demo-test';
const refusal = new EarthEngineError('RATE_LIMITED', {
  message: 'slow down',
  httpStatus: 429,
  status: 'RESOURCE_EXHAUSTED',
  reply: 'slow down',
});

/** The paces of one process, what it stored of them, and its calls. */
function begin() {
  const { services, clock, logged } = createHarness({
    environment: { EARTHENGINE_REQUESTS_PER_SECOND: '100' },
  });
  const written: ProjectStatus['pace'][] = [];
  const world = { isDown: false };
  const paces = createPaces(services, async (_project, change) => {
    if (world.isDown) {
      throw new Error('the store does not respond');
    }
    const now = clock.now();
    written.push(change({ closures: 0, updatedAt: now }, now)?.pace);
  });
  return { clock, logged, paces, written, world };
}

async function call({ paces, clock }: { paces: Paces; clock: TestClock }, calls: number, error?: Error) {
  for (let n = 0; n < calls; n += 1) {
    const turn = await paces.of(project).turn(later(clock.now(), MINUTE_MS));
    turn?.end(error);
  }
}

const storedPace = (perSecond: number, at: Date): ProjectStatus => ({
  closures: 0,
  pace: { perSecond, at },
  updatedAt: at,
});
const rateOf = (paces: Paces) => paces.of(project).memory().perSecond;

describe('the pace that another process stored', () => {
  it('is where a process begins, whatever it is', () => {
    const { paces, clock } = begin();
    paces.adopt(project, storedPace(60, clock.now()));
    expect(rateOf(paces)).toBe(60);
  });

  it.each([
    ['slows a process down that has sent something', 2, 2],
    ['does not make it faster', 90, 10],
  ])('%s', async (_, perSecond, expected) => {
    const { paces, clock, ...rest } = begin();
    await call({ paces, clock, ...rest }, 1);
    paces.adopt(project, storedPace(perSecond, clock.now()));
    expect(rateOf(paces)).toBeCloseTo(expected, 0);
  });

  it('is adopted once, and not if this process stored a later one', async () => {
    const world = begin();
    const { paces, clock } = world;
    const status = storedPace(4, clock.now());
    paces.adopt(project, status);
    await call(world, 100);
    const faster = rateOf(paces);
    expect(faster).toBeGreaterThan(8);
    paces.adopt(project, status);
    expect(rateOf(paces)).toBe(faster);
    await paces.shareAll();
    paces.adopt(project, storedPace(4, later(clock.now(), -SECOND_MS)));
    expect(rateOf(paces)).toBe(faster);
  });
});

describe('the pace of this process', () => {
  it('is stored when a call was refused and calls became slower, but at most every five seconds', async () => {
    const world = begin();
    const { paces, clock, written } = world;
    await call(world, 600);
    await call(world, 1, refusal);
    await paces.share(project);
    expect(written).toEqual([]);
    const limit = rateOf(paces);
    await call(world, 2, refusal);
    await paces.share(project);
    expect(written).toEqual([{ perSecond: rateOf(paces), limit, at: clock.now() }]);

    // The rate before is tried again and is too high, so half of it is next.
    await call(world, 5, refusal);
    await call(world, 25);
    await call(world, 5, refusal);
    expect(rateOf(paces)).toBe(limit / 2);
    await paces.share(project);
    expect(written).toHaveLength(1);
    clock.advance(5 * SECOND_MS);
    await paces.share(project);
    expect(written).toHaveLength(2);
  });

  it('is not stored again if it is nearly the same', async () => {
    const world = begin();
    await call(world, 4, refusal);
    await world.paces.share(project);
    world.clock.advance(MINUTE_MS);
    await call(world, 1);
    await world.paces.share(project);
    expect(world.written).toHaveLength(1);
  });

  it('is stored at the end of a run if the run sent much at a limited rate', async () => {
    const world = begin();
    await call(world, 100);
    await world.paces.shareAll();
    expect(world.written).toEqual([]);
    await call(world, 4, refusal);
    await world.paces.shareAll();
    expect(world.written).toHaveLength(1);
    // Much slower than what is stored, but after fewer than a hundred calls.
    const stored = rateOf(world.paces);
    await call(world, 5, refusal);
    for (let burst = 0; burst < 2; burst += 1) {
      await call(world, 30);
      await call(world, 5, refusal);
    }
    expect(rateOf(world.paces)).toBeLessThan(stored / 1.5);
    await world.paces.shareAll();
    expect(world.written).toHaveLength(1);
    await call(world, 300);
    await world.paces.shareAll();
    expect(world.written).toHaveLength(2);
  });

  it('does not stop a send if it cannot be stored', async () => {
    const world = begin();
    world.world.isDown = true;
    await call(world, 4, refusal);
    await world.paces.share(project);
    expect(world.logged).toContainEqual(
      expect.objectContaining({ event: 'project.status_not_saved', project }),
    );
  });
});
