import { performance } from 'node:perf_hooks';

import { MINUTE_MS } from '../../shared/clock.ts';
import { isActive } from '../../shared/model/record.ts';
import { noteOperation } from '../../shared/submission/note-operation.ts';
import { recordQueries } from '../../shared/store/queries.ts';
import { cursorOf, isReadable } from '../../shared/store/store.ts';
import { createWatched, submitMany, type Watched } from '../scale/watched.ts';
import { type Bench, median, type Row } from './table.ts';

/**
 * One poll of many watched operations, compared with one request for each of them: calls of Earth Engine, documents that
 * Firestore would bill, and time. The store is in memory and Earth Engine is simulated in this process, so the time is that
 * of the work itself, without response times.
 */

const SIZES = [100, 1000, 3000, 10_000];
const RUNS = 3;

interface Cost {
  readonly calls: number;
  readonly reads: number;
  readonly writes: number;
  readonly ms: number;
}

/** The limits of a poll of 3,000 operations of which none has changed. */
const UNCHANGED_3000: Partial<Cost> = { calls: 8, reads: 20, writes: 0 };

async function run(): Promise<Row[]> {
  const rows: Row[] = [];
  for (const size of SIZES) {
    const ours = createWatched();
    const each = createWatched();
    for (const harness of [ours, each]) {
      await submitMany(harness, size);
      await harness.poll();
    }
    for (const changed of [0, size / 100]) {
      const costs: Cost[] = [];
      const baselines: Cost[] = [];
      for (let n = 0; n < RUNS; n += 1) {
        costs.push(await costOf(ours, changed, async () => void (await ours.poll())));
        baselines.push(await costOf(each, changed, () => askForEach(each)));
      }
      const most = size === 3000 && changed === 0 ? UNCHANGED_3000 : {};
      rows.push(...rowsOf(`${size} watched, ${changed} changed`, costs, baselines, most));
    }
  }
  return rows;
}

function rowsOf(
  what: string,
  costs: readonly Cost[],
  baselines: readonly Cost[],
  most: Partial<Cost>,
): Row[] {
  const units = { calls: 'calls', reads: 'reads', writes: 'writes', ms: 'ms' } as const;
  return (Object.keys(units) as (keyof Cost)[]).map((part) => {
    const row: Row = {
      what,
      value: median(costs.map((one) => one[part])),
      baseline: median(baselines.map((one) => one[part])),
      unit: units[part],
    };
    const limit = most[part];
    return limit === undefined ? row : Object.assign(row, { most: limit });
  });
}

/** Ends some operations, lets a minute pass, and measures what `poll` costs then. */
async function costOf(harness: Watched, changed: number, poll: () => Promise<void>): Promise<Cost> {
  const { simulator, clock, store } = harness;
  const open = simulator.operations().filter(({ endTime }) => endTime === undefined);
  for (const { name } of open.slice(0, changed)) {
    simulator.endOperation(name, { state: 'SUCCEEDED' });
  }
  clock.advance(MINUTE_MS);
  store.takeBill();
  const before = callsOf(harness);
  const start = performance.now();
  await poll();
  const ms = performance.now() - start;
  const cost = { ...store.takeBill(), calls: callsOf(harness) - before, ms };
  const active = await store.records.count(recordQueries.active(harness.config.earthEngineProject));
  if (active !== open.length - changed) {
    throw new Error(`${changed} of ${open.length} operations ended, and ${active} records are still active`);
  }
  return cost;
}

function callsOf({ simulator }: Watched): number {
  const { list, get } = simulator.counters().calls;
  return list + get;
}

/** The plain way: reads every record that has not ended, and requests its operation. */
async function askForEach({ services }: Watched): Promise<void> {
  const { store, earthEngine, config } = services;
  const query = recordQueries.active(config.earthEngineProject);
  let after: readonly unknown[] | undefined;
  for (;;) {
    const page = await store.records.find(query, { limit: 100, ...(after ? { after } : {}) });
    const last = page.at(-1);
    if (last === undefined) {
      return;
    }
    await Promise.all(
      page.filter(isReadable).map(async (stored) => {
        if (!isActive(stored.value)) {
          return;
        }
        const { operation: name, requestId } = stored.value;
        const operation = await earthEngine.getOperation(name, { timeoutMs: 20_000 });
        if (operation.done) {
          await noteOperation(services, stored, { operation, requestId });
        }
      }),
    );
    after = cursorOf(query, last);
  }
}

const bench: Bench = { name: 'poll', run };
export default bench;
