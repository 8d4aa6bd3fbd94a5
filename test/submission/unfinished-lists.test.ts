import { describe, expect, it } from 'vitest';

import { createMemoryStore } from '../../infra/local/memory/store.ts';
import { HOUR_MS, later, MINUTE_MS, SECOND_MS } from '../../shared/clock.ts';
import { EarthEngineError, type Operation } from '../../shared/earth-engine/api.ts';
import type { Store } from '../../shared/store/store.ts';
import { changeStatus } from '../../shared/submission/gate.ts';
import { createListings, type Listings, withMarkerOf, withName } from '../../shared/submission/listings.ts';
import { createUnfinishedLists } from '../../shared/submission/unfinished-lists.ts';
import { createHarness, type Harness } from '../harness.ts';
import { operationIn, recordId } from '../record/samples.ts';

/** Rule 5: a list that takes longer than a run goes on in the next one. Each page takes a second. */

const project = 'demo-test';
const nothing: readonly Operation[] = [];
const ours = operationIn('RUNNING', { description: `ours_${recordId}` });
const wanted = withMarkerOf(recordId);

interface Rig {
  readonly harness: Harness;
  /** The tokens of the pages that were read. */
  readonly read: (string | undefined)[];
  /** A run of the poller. */
  begin(): Listings;
  /** Searches for as long as these pages take, and ends the run as the poller does. */
  search(run: Listings, pages: number, since?: Date, what?: typeof wanted): Promise<unknown>;
}

function createRig(pages: readonly (readonly Operation[])[], store: Store = createMemoryStore()): Rig {
  const harness = createHarness({ store });
  const { clock, services } = harness;
  const read: (string | undefined)[] = [];
  const listOperations = async (_: string, token: string | undefined) => {
    clock.advance(SECOND_MS);
    read.push(token);
    const page = Number(token ?? 0);
    return {
      operations: pages[page] ?? [],
      nextPageToken: page + 1 < pages.length ? String(page + 1) : undefined,
    };
  };
  const changed = { ...services, earthEngine: { ...services.earthEngine, listOperations } };
  return {
    harness,
    read,
    begin: () => createListings(changed, createUnfinishedLists(services)),
    search: async (run, count, since = clock.now(), what = wanted) => {
      const result = await run.search(project, since, what, later(clock.now(), count * SECOND_MS));
      await run.keepUnfinished();
      return result === 'UNFINISHED' ? result : 'found' in result ? 'FOUND' : result.none;
    },
  };
}

describe('a list that takes longer than a run', () => {
  it('goes on in the next run, and counts from its first page', async () => {
    const rig = createRig([nothing, nothing, nothing, nothing]);
    const since = rig.harness.clock.now();
    expect(await rig.search(rig.begin(), 2, since)).toBe('UNFINISHED');
    rig.harness.clock.advance(MINUTE_MS);
    const result = await rig.search(rig.begin(), 10, since);
    expect(rig.read).toEqual([undefined, '1', '2', '3']);
    expect(result).toMatchObject({ startedAt: since, endedAt: rig.harness.clock.now(), pages: 4 });
  });

  it('is not stored by a run that dies: the next one reads those pages again', async () => {
    const rig = createRig([nothing, nothing, nothing]);
    const since = rig.harness.clock.now();
    await rig.begin().search(project, since, wanted, later(since, 2 * SECOND_MS));
    expect(await rig.search(rig.begin(), 10, since)).toMatchObject({ pages: 3 });
    expect(rig.read).toEqual([undefined, '1', undefined, '1', '2']);
  });

  it('ends as soon as the marker is seen', async () => {
    const rig = createRig([nothing, nothing, [ours], nothing]);
    const since = rig.harness.clock.now();
    expect(await rig.search(rig.begin(), 2, since)).toBe('UNFINISHED');
    expect(await rig.search(rig.begin(), 10, since)).toBe('FOUND');
    expect(rig.read).toEqual([undefined, '1', '2']);
  });

  it.each([
    ['a marker', wanted],
    ['an operation', withName(ours.name)],
  ])(
    'proves nothing about %s that a page of an earlier run showed: it is found in a new list',
    async (_, what) => {
      const rig = createRig([[ours], nothing, nothing]);
      const since = rig.harness.clock.now();
      const another = withMarkerOf(`ve1-${'b'.repeat(32)}`);
      expect(await rig.search(rig.begin(), 2, since, another)).toBe('UNFINISHED');
      expect(await rig.search(rig.begin(), 10, since, what)).toBe('FOUND');
      expect(rig.read).toEqual([undefined, '1', '2', undefined]);
    },
  );

  it('proves nothing about a marker that the first of several runs saw', async () => {
    const rig = createRig([[ours], nothing, nothing]);
    const since = rig.harness.clock.now();
    const another = withMarkerOf(`ve1-${'b'.repeat(32)}`);
    await rig.search(rig.begin(), 1, since, another);
    await rig.search(rig.begin(), 1, since, another);
    expect(await rig.search(rig.begin(), 10, since)).toBe('FOUND');
    expect(rig.read).toEqual([undefined, '1', '2', undefined]);
  });

  it('is read to its end before a list that a later send needs', async () => {
    const rig = createRig([nothing, nothing, nothing]);
    const { clock } = rig.harness;
    const first = clock.now();
    await rig.search(rig.begin(), 2, first);
    clock.advance(MINUTE_MS);
    const second = clock.now();
    const run = rig.begin();
    const [early, late] = await Promise.all([rig.search(run, 10, first), rig.search(run, 10, second)]);
    expect(early).toMatchObject({ startedAt: first });
    expect(late).toMatchObject({ startedAt: later(second, SECOND_MS) });
    expect(rig.read).toEqual([undefined, '1', '2', undefined, '1', '2']);
  });

  it('is not continued once it has ended', async () => {
    const rig = createRig([nothing, nothing, nothing]);
    await rig.search(rig.begin(), 2);
    await rig.search(rig.begin(), 1);
    await rig.search(rig.begin(), 3);
    expect(rig.read).toEqual([undefined, '1', '2', undefined, '1', '2']);
  });

  it('remembers operations that may hide a marker', async () => {
    const createTime = new Date('2026-11-23T11:00:00Z');
    const hiding = operationIn('RUNNING', { description: undefined, createTime });
    const rig = createRig([[hiding], nothing, nothing]);
    const since = rig.harness.clock.now();
    await rig.search(rig.begin(), 2, since);
    expect(await rig.search(rig.begin(), 10, since)).toMatchObject({ hidingAt: createTime });
  });

  it('shows missing markers of an earlier run’s pages', async () => {
    const rig = createRig([[ours], nothing, nothing]);
    const { services, clock, store } = rig.harness;
    await changeStatus(services, project, (status, now) => ({
      ...status,
      markerMissingAt: now,
      markerMissingOn: ours.name,
    }));
    await rig.search(rig.begin(), 2, clock.now(), withMarkerOf(`ve1-${'b'.repeat(32)}`));
    expect(await store.projects.get(project)).not.toHaveProperty('value.markerMissingAt');
  });

  it('begins again if Earth Engine refuses its page token', async () => {
    const rig = createRig([nothing, nothing, nothing]);
    await rig.search(rig.begin(), 2);
    const refusing = createListings(
      {
        ...rig.harness.services,
        earthEngine: {
          ...rig.harness.services.earthEngine,
          listOperations: async (_, token) => {
            rig.read.push(token);
            if (token !== undefined) {
              throw new EarthEngineError('REFUSED', { message: '', httpStatus: 400, status: '', reply: '' });
            }
            return { operations: [ours], nextPageToken: undefined };
          },
        },
      },
      createUnfinishedLists(rig.harness.services),
    );
    expect(await rig.search(refusing, 10)).toBe('FOUND');
    expect(rig.read).toEqual([undefined, '1', '2', undefined]);
  });

  it('begins again after an hour without a run', async () => {
    const rig = createRig([nothing, nothing, nothing]);
    const since = rig.harness.clock.now();
    await rig.search(rig.begin(), 2, since);
    rig.harness.clock.advance(HOUR_MS);
    await rig.search(rig.begin(), 1, since);
    expect(rig.read).toEqual([undefined, '1', undefined]);
  });

  it('begins again if what is stored cannot be read', async () => {
    const memory = createMemoryStore();
    const rig = createRig([nothing, nothing, nothing], memory);
    memory.put(`videoExportLists/${project}`, { pageToken: 7 });
    const since = rig.harness.clock.now();
    await rig.search(rig.begin(), 2, since);
    expect(await rig.search(rig.begin(), 10, since)).toMatchObject({ pages: 3 });
    expect(rig.read).toEqual([undefined, '1', '2']);
  });

  it('that the store does not return is read again for the next search', async () => {
    const memory = createMemoryStore();
    let fails = false;
    const get: Store['lists']['get'] = (id) =>
      fails ? Promise.reject(new Error('the store does not answer')) : memory.lists.get(id);
    const rig = createRig([nothing, nothing, nothing], { ...memory, lists: { ...memory.lists, get } });
    const since = rig.harness.clock.now();
    await rig.search(rig.begin(), 2, since);
    const run = rig.begin();
    fails = true;
    await expect(rig.search(run, 10, since)).rejects.toThrow('does not answer');
    fails = false;
    expect(await rig.search(run, 10, since)).toMatchObject({ pages: 3 });
    expect(rig.read).toEqual([undefined, '1', '2']);
  });

  it('is stored by one of two runs at once', async () => {
    const rig = createRig([nothing, nothing, nothing, nothing]);
    const since = rig.harness.clock.now();
    await rig.search(rig.begin(), 1, since);
    const [one, other] = [rig.begin(), rig.begin()];
    await one.search(project, since, wanted, later(rig.harness.clock.now(), SECOND_MS));
    await rig.search(other, 2, since);
    await one.keepUnfinished();
    expect(await rig.search(rig.begin(), 10, since)).toMatchObject({ pages: 4 });
    expect(rig.read).toEqual([undefined, '1', '1', '2', '3']);
  });

  it('of one project is stored although that of another cannot be', async () => {
    const memory = createMemoryStore();
    const rig = createRig([nothing, nothing, nothing], memory);
    const { clock, logged } = rig.harness;
    memory.put('videoExportProjects/broken', { closures: 'many' });
    const run = rig.begin();
    for (const each of ['broken', project]) {
      await run.search(each, clock.now(), wanted, later(clock.now(), SECOND_MS));
    }
    await run.keepUnfinished();
    expect(await memory.lists.get(project)).toMatchObject({ value: { pages: 1 } });
    expect(logged).toContainEqual(expect.objectContaining({ event: 'search.not_kept', project: 'broken' }));
  });

  it('that shows more than a document can hold is not stored', async () => {
    const many = (prefix: string) =>
      Array.from({ length: 120_000 }, (_, n) =>
        operationIn('RUNNING', {
          name: `projects/p/operations/${prefix}${n}`,
          description: 'of another user',
        }),
      );
    const rig = createRig([many('a'), many('b'), nothing]);
    await rig.search(rig.begin(), 2);
    expect(await rig.harness.store.lists.get(project)).toBeUndefined();
    expect(rig.harness.logged).toContainEqual(
      expect.objectContaining({ event: 'search.too_long', pages: 2 }),
    );
  });
});
