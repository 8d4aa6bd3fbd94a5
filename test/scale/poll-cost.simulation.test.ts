import { describe, expect, it } from 'vitest';

import type { PollSummary } from '../../shared/polling/poll-run.ts';
import type { Bill } from '../counting-store.ts';
import { createWatched, submitMany, type Watched } from './watched.ts';
import { oneFrame } from '../one-frame.ts';

const MINUTE_MS = 60_000;

interface Cost extends Bill {
  readonly calls: number;
  readonly summary: PollSummary;
}

async function pollAfterAMinute(harness: Watched): Promise<Cost> {
  harness.clock.advance(MINUTE_MS);
  harness.store.takeBill();
  const summary = await harness.poll();
  const { list, get } = summary.calls;
  return { ...harness.store.takeBill(), calls: list + get + summary.calls.export, summary };
}

/** Ends every `step`-th of our operations at Earth Engine. */
function endSome(harness: Watched, step: number): string[] {
  const ended = harness.simulator.operations().filter((_operation, n) => n % step === 0);
  for (const { name } of ended) {
    harness.simulator.endOperation(name, { state: 'SUCCEEDED' });
  }
  return ended.map(({ name }) => name);
}

async function succeeded(harness: Watched): Promise<string[]> {
  const records = await harness.records();
  return records
    .flatMap(({ value }) => (value.state === 'SUCCEEDED' ? [value.operation ?? ''] : []))
    .toSorted();
}

/** `npm run bench -- poll` has 1,000 and 10,000 as well. */
describe.each([100, 3000])('a poll of %i watched operations', (size) => {
  it('costs its list pages and a few reads without changes, and otherwise as much as what changed', async () => {
    const harness = createWatched();
    await submitMany(harness, size);
    const pages = Math.ceil(size / 500);
    let still: Cost | undefined;
    for (const poll of ['first', 'second', 'third']) {
      still = await pollAfterAMinute(harness);
      expect(still.calls, poll).toBeLessThanOrEqual(pages + 1);
      expect(still.reads, poll).toBeLessThanOrEqual(20);
      expect(still.writes, poll).toBe(poll === 'first' ? 1 : 0);
      expect(still.summary).toMatchObject({ due: 0, changed: 0, failed: 0, remaining: 0 });
    }
    const ended = endSome(harness, 100);
    const changed = await pollAfterAMinute(harness);
    expect(changed.summary.changed).toBe(ended.length);
    expect(changed.reads - (still?.reads ?? 0)).toBeLessThanOrEqual(ended.length);
    // Each record and its request, which expire together, and the sweep's snapshot.
    expect(changed.writes).toBe(2 * ended.length + 1);
    expect(await succeeded(harness)).toEqual(ended.toSorted());
    expect(await pollAfterAMinute(harness)).toMatchObject({ reads: still?.reads, writes: 0 });
  });
});

describe('a poll of a list in random order', () => {
  it.each([100, 1100])('detects what ended, of %i watched operations', async (size) => {
    const harness = createWatched({ simulator: { settings: { listOrder: 'random' } } });
    await submitMany(harness, size);
    await harness.poll();
    const ended: string[] = [];
    for (const step of [97, 53]) {
      ended.push(...endSome(harness, step));
      await pollAfterAMinute(harness);
      expect(await succeeded(harness)).toEqual([...new Set(ended)].toSorted());
    }
  });
});

describe('a list with 30,000 old operations of other users', () => {
  const others = { ended: 30_000, running: 3, pending: 40 };

  it.each([
    ['newest', 2],
    ['oldest', 63],
    ['random', 63],
  ] as const)('in %s order shows a poll what ended', async (listOrder, mostPages) => {
    const harness = createWatched({ simulator: { settings: { listOrder } } });
    harness.simulator.setOthers('demo-test', others);
    await submitMany(harness, 600);
    await harness.poll();
    const ended = endSome(harness, 100);
    const cost = await pollAfterAMinute(harness);
    expect(cost.summary.changed).toBe(ended.length);
    expect(await succeeded(harness)).toEqual(ended.toSorted());
    expect(cost.calls).toBeLessThanOrEqual(mostPages);
    expect(cost.reads).toBeLessThanOrEqual(20 + ended.length);
  });

  it('is not read if individual requests cost less, and nothing is written without changes', async () => {
    const harness = createWatched({ simulator: { settings: { listOrder: 'oldest' } } });
    harness.simulator.setOthers('demo-test', others);
    await submitMany(harness, 20);
    await harness.poll();
    const still = await pollAfterAMinute(harness);
    expect(still.summary.calls).toMatchObject({ list: 0, get: 20 });
    expect(still.writes).toBe(0);
    const ended = endSome(harness, 10);
    await pollAfterAMinute(harness);
    expect(await succeeded(harness)).toEqual(ended.toSorted());
  });
});

describe('a sweep that may stop early does not stop too early', () => {
  it('because of operations whose records are in another deployment', async () => {
    // Two deployments share a project: the list is full of marked operations without records in this one.
    const harness = createWatched();
    await submitMany(harness, 60);
    const elsewhere = createWatched();
    const { simulator } = harness;
    const stranger = elsewhere.instance((services) => ({
      ...services,
      earthEngine: harness.services.earthEngine,
    }));
    for (let n = 0; n < 600; n += 1) {
      await stranger.submit({
        data: { ...jobOfStranger(n) },
      });
    }
    expect(simulator.operations()).toHaveLength(660);
    for (let poll = 0; poll < 3; poll += 1) {
      const [first] = simulator.operations().slice(poll);
      simulator.endOperation(first?.name ?? '', { state: 'SUCCEEDED' });
      await pollAfterAMinute(harness);
      expect(await succeeded(harness)).toHaveLength(poll + 1);
    }
  });

  it('because of operations that ended and are not remembered', async () => {
    const harness = createWatched();
    await submitMany(harness, 1200);
    const all = harness.simulator.operations();
    for (const { name } of all.slice(600)) {
      harness.simulator.endOperation(name, { state: 'SUCCEEDED' });
    }
    await harness.poll();
    harness.memory.remove('videoExportSweeps/demo-test');
    harness.simulator.endOperation(all[0]?.name ?? '', {
      state: 'FAILED',
      error: { code: 3, message: 'no' },
    });
    const { summary } = await pollAfterAMinute(harness);
    expect(summary.changed).toBe(1);
  });
});

function jobOfStranger(n: number): Record<string, unknown> {
  return {
    jobKey: `stranger/${n}`,
    request: {
      expression: oneFrame('MODIS/061/MOD13A2/2020_02_02'),
      fileExportOptions: {
        fileFormat: 'MP4',
        cloudStorageDestination: { bucket: 'other-bucket', filenamePrefix: `x${n}` },
      },
    },
  };
}

describe('two polls at once', () => {
  it('waste one read of the list, and no more than the reads of what changed', async () => {
    const harness = createWatched();
    await submitMany(harness, 1000);
    await harness.poll();
    const ended = endSome(harness, 50);
    const other = harness.instance();
    harness.clock.advance(MINUTE_MS);
    harness.store.takeBill();
    const [one, two] = await Promise.all([harness.poll(), other.poll()]);
    expect(one.failed + two.failed).toBe(0);
    expect(one.changed + two.changed).toBe(ended.length);
    expect(one.calls.list + two.calls.list).toBeLessThanOrEqual(2 * 3);
    const { reads, writes } = harness.store.takeBill();
    expect(reads).toBeLessThanOrEqual(2 * 20 + 3 * ended.length);
    // A write that lost to the other run's write is counted too.
    expect(writes).toBeLessThanOrEqual(2 * (2 * ended.length + 1));
    for (const { value } of await harness.records()) {
      if (value.state === 'SUCCEEDED') {
        expect(value.history.filter(({ state }) => state === 'SUCCEEDED')).toHaveLength(1);
      }
    }
  });

  it('write each due record once', async () => {
    const harness = createWatched();
    const ids = await submitMany(harness, 40);
    await harness.poll();
    const before = new Map((await harness.records()).map(({ id, value }) => [id, value.revision]));
    const other = harness.instance();
    harness.clock.advance(3_600_000);
    await Promise.all([harness.poll(), other.poll()]);
    const after = await harness.records();
    expect(after.map(({ id, value }) => value.revision - (before.get(id) ?? 0))).toEqual(ids.map(() => 1));
  });
});
