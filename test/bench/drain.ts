import { performance } from 'node:perf_hooks';

import { smallJob } from '../harness.ts';
import { type BurstOptions, mostStartedWithin, runBurst } from '../scale/burst.ts';
import { createWatched } from '../scale/watched.ts';
import { type Bench, median, type Row } from './table.ts';

/**
 * Ten thousand jobs at once for a queue of 3,000 that is shared with other users, with occasional 429 responses, on a clock
 * that runs as fast as the work allows: the whole service, the store, and the simulator are in this process.
 */

const options: BurstOptions = {
  jobs: 10_000,
  queueLimit: 3000,
  othersPending: 200,
  maxActive: 2700,
  instances: 4,
  tooManyRequests: 0.0005,
  startsPerSecond: 50,
};
const RUNS = 3;

interface Drained {
  readonly seconds: number;
  readonly minutes: number;
  readonly calls: number;
  readonly peakMb: number;
}

async function run(): Promise<Row[]> {
  const runs: Drained[] = [];
  const floors: Drained[] = [];
  for (let n = 0; n < RUNS; n += 1) {
    floors.push(await sendAtOnce());
    runs.push(await drain());
  }
  const row = (what: string, part: keyof Drained, unit: string): Row => ({
    what: `${options.jobs} jobs, ${what}`,
    value: median(runs.map((one) => one[part])),
    baseline: median(floors.map((one) => one[part])),
    unit,
  });
  return [
    row('until all have ended', 'minutes', 'simulated min'),
    row('calls of Earth Engine', 'calls', 'calls'),
    row('work', 'seconds', 's'),
    row('peak memory with store and simulator', 'peakMb', 'MB'),
  ];
}

async function drain(): Promise<Drained> {
  let peakMb = 0;
  const start = performance.now();
  const { harness, deliveries, polls } = await runBurst(options, () => {
    peakMb = Math.max(peakMb, residentMb());
  });
  const seconds = (performance.now() - start) / 1000;
  const operations = harness.simulator.operations();
  const succeeded = operations.filter(({ state }) => state === 'SUCCEEDED').length;
  if (succeeded !== options.jobs || operations.length !== options.jobs) {
    throw new Error(`${options.jobs} jobs became ${operations.length} operations, ${succeeded} succeeded`);
  }
  if (deliveries.some((delivered) => delivered > 1)) {
    throw new Error('a message was redelivered');
  }
  const { calls, projects } = harness.simulator.counters();
  const over = (projects[harness.config.earthEngineProject]?.peakActive ?? 0) - options.maxActive;
  if (over > mostStartedWithin(harness, 5000)) {
    throw new Error(
      `${over} more operations were active than allowed, which is more than start in five seconds`,
    );
  }
  return { seconds, minutes: polls, calls: calls.export + calls.list + calls.get, peakMb };
}

/** The floor: every job is stored and sent at once, to a queue without a limit, and never polled. */
async function sendAtOnce(): Promise<Drained> {
  const { services, simulator } = createWatched();
  const { store, earthEngine, config } = services;
  const start = performance.now();
  for (let n = 0; n < options.jobs; n += 1) {
    const request = Buffer.from(JSON.stringify(smallJob()['request']));
    await store.projects.create(`job-${n}`, { closures: n, updatedAt: new Date() });
    await earthEngine.startExport(config.earthEngineProject, request, { timeoutMs: 20_000 });
  }
  const seconds = (performance.now() - start) / 1000;
  const { calls } = simulator.counters();
  // The time that Earth Engine itself needs: it starts no more operations per second.
  return {
    seconds,
    minutes: options.jobs / options.startsPerSecond / 60,
    calls: calls.export,
    peakMb: residentMb(),
  };
}

const residentMb = (): number => process.memoryUsage().rss / 2 ** 20;

const bench: Bench = { name: 'drain', run };
export default bench;
