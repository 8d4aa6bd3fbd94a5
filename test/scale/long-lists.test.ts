import { describe, expect, it } from 'vitest';

import { cancelExports } from '../../shared/cancellation/cancel-exports.ts';
import { HOUR_MS, later, MINUTE_MS, SECOND_MS } from '../../shared/clock.ts';
import type { EarthEngine } from '../../shared/earth-engine/api.ts';
import { isTerminal } from '../../shared/model/record.ts';
import { envelopeOf, type Instance, smallJob } from '../harness.ts';
import { createVirtualTime } from './virtual-time.ts';
import { createWatched, type Watched } from './watched.ts';

/** Lists that take longer than half a run: 70,000 operations, 500 a page, at one second a page. Ours are on the last page. */

const PAGES = 140;
const settings = { listOrder: 'oldest', startsPerSecond: 1000 } as const;
const different = 'A different Operation was already started with the given request_id';

interface LongLists {
  readonly harness: Watched;
  readonly poller: Instance;
  /** Polls every minute, as the Scheduler does, until the first record is as required. Returns how long that took. */
  pollUntil(isReached: (state: string) => boolean | Promise<boolean>, mostMs?: number): Promise<number>;
}

function createLongLists(
  change: (earthEngine: EarthEngine) => Partial<EarthEngine> = () => ({}),
  environment: Readonly<Record<string, string>> = {},
): LongLists {
  const harness = createWatched({ simulator: { settings }, environment });
  const { clock } = harness;
  const time = createVirtualTime(clock);
  const poller = harness.instance((services) => {
    const earthEngine: EarthEngine = {
      ...services.earthEngine,
      listOperations: async (project, token, options) => {
        await time.sleep(SECOND_MS);
        const page = Number(token ?? 1);
        return page < PAGES
          ? { operations: [], nextPageToken: String(page + 1) }
          : services.earthEngine.listOperations(project, undefined, options);
      },
    };
    return {
      ...services,
      clock: { now: () => clock.now(), sleep: (ms, signal) => time.sleep(ms, signal) },
      earthEngine: { ...earthEngine, ...change(earthEngine) },
    };
  });
  return {
    harness,
    poller,
    pollUntil: async (isReached, mostMs = 2 * HOUR_MS) => {
      const began = clock.now();
      while (clock.now() < later(began, mostMs)) {
        await time.sleep(MINUTE_MS - (clock.now().getTime() % MINUTE_MS));
        await poller.poll();
        const [stored] = await harness.records();
        if (stored && (await isReached(stored.value.state))) {
          return clock.now().getTime() - began.getTime();
        }
      }
      throw new Error(
        `not reached in ${mostMs / MINUTE_MS} minutes: ${JSON.stringify(await harness.records())}`,
      );
    },
  };
}

const cancelJob = ({ harness }: LongLists) =>
  cancelExports(harness.services, envelopeOf({ data: { jobKey: 'test/1' } }));

describe('a search that takes longer than half a run', () => {
  it('goes on in the next run and adopts the operation as soon as its marker is seen', async () => {
    const lists = createLongLists();
    const { harness } = lists;
    harness.simulator.failNext('export', { kind: 'lost' }, 3);
    await harness.submit({ data: smallJob() });
    await lists.pollUntil((state) => state === 'PENDING', 20 * MINUTE_MS);
    expect(harness.simulator.operations()).toHaveLength(1);
  });

  it('ends a canceled job whose sends never arrived, after two lists T apart', async () => {
    const lists = createLongLists();
    lists.harness.simulator.failNext('export', { kind: 'reset' }, 3);
    await lists.harness.submit({ data: smallJob() });
    await cancelJob(lists);
    const tookMs = await lists.pollUntil((state) => state === 'CANCELLED');
    expect(tookMs).toBeGreaterThan(15 * MINUTE_MS);
    expect(tookMs).toBeLessThan(40 * MINUTE_MS);
  });

  it('finds the operation that a job canceled meanwhile has, and cancels it', async () => {
    const lists = createLongLists();
    const { harness } = lists;
    harness.simulator.failNext('export', { kind: 'lost' }, 3);
    await harness.submit({ data: smallJob() });
    await lists.poller.poll();
    await cancelJob(lists);
    await lists.pollUntil((state) => state === 'PENDING', 20 * MINUTE_MS);
    expect(harness.simulator.operations()).toMatchObject([{ cancelRequested: true }]);
  });

  it('lets a job continue with its next ID if every send of the refused one was answered', async () => {
    let refusals = 0;
    const lists = createLongLists((earthEngine) => ({
      startExport: async (project, request, options) => {
        const isFirstId = !new TextDecoder().decode(request).includes('-g2');
        lists.harness.simulator.failNext(
          'export',
          { kind: 'status', status: 400, message: different },
          isFirstId ? 1 : 0,
        );
        refusals += isFirstId ? 1 : 0;
        return earthEngine.startExport(project, request, options);
      },
    }));
    lists.harness.simulator.failNext('export', { kind: 'status', status: 429 });
    await lists.harness.submit({ data: smallJob() });
    await lists.pollUntil((state) => state === 'PENDING', 30 * MINUTE_MS);
    expect(lists.harness.simulator.operations()).toHaveLength(1);
    expect(refusals).toBeLessThan(10);
  });

  it('decides that a missing operation is lost', async () => {
    const lists = createLongLists();
    const { harness } = lists;
    await harness.submit({ data: smallJob() });
    harness.simulator.forgetOperation(harness.simulator.operations()[0]?.name ?? '');
    await lists.pollUntil((state) => state === 'LOST', 3 * HOUR_MS);
  });
});

describe('a list without an end', () => {
  it('settles nothing: the job is LOST after SUBMIT_DEADLINE_HOURS, although no search ends', async () => {
    let page = 0;
    const lists = createLongLists(
      () => ({
        listOperations: async () => {
          lists.harness.clock.advance(10 * SECOND_MS);
          return { operations: [], nextPageToken: `page-${(page += 1)}` };
        },
      }),
      { SUBMIT_DEADLINE_HOURS: '1' },
    );
    lists.harness.simulator.failNext('export', { kind: 'reset' }, 3);
    await lists.harness.submit({ data: smallJob() });
    const tookMs = await lists.pollUntil((state) => state === 'LOST', 3 * HOUR_MS);
    expect(tookMs).toBeGreaterThan(HOUR_MS);
    const [stored] = await lists.harness.records();
    expect(stored?.value).toMatchObject({ error: { status: 'OUTCOME_UNKNOWN' } });
    expect(stored && isTerminal(stored.value)).toBe(true);
  });
});
