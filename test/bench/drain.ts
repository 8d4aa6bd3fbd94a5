import { drain, type DrainOptions, type Drained } from '../scale/drain.ts';
import type { Bench, Row } from './table.ts';

/**
 * How fast one poller sends a backlog, in virtual time: with 429s that come at any rate, with limits of the request rate that
 * it does not know, and through a queue of 3,000.
 */

const SHARES_OF_429 = [0.002, 0.01, 0.02, 0.05];
const LATENCIES_MS = [100, 300, 1000];
const LIMITS = [5, 20, 100];
/** Fewer would measure how a run learns the limit, and more would show the same share. */
const MOST_JOBS = 8000;

/** Of the undisturbed rate. */
const LEAST: Readonly<Record<number, number>> = { 0.002: 0.9, 0.01: 0.9, 0.02: 0.8, 0.05: 0.6 };

const perMinute = ({ harness, sendingMs }: Drained): number =>
  harness.simulator.operations().length / (sendingMs / 60_000);

async function run(): Promise<Row[]> {
  const rows: Row[] = [];
  for (const projects of [1, 5]) {
    for (const latencyMs of LATENCIES_MS) {
      rows.push(...(await with429s({ jobs: projects === 1 ? 4000 : 1500, projects, latencyMs })));
    }
  }
  for (const latencyMs of LATENCIES_MS) {
    for (const limit of LIMITS) {
      const drained = await drain({
        jobs: Math.min(limit * 200, MOST_JOBS),
        latencyMs,
        simulator: { requestsPerSecond: limit },
      });
      rows.push({
        what: `calls over a limit of ${limit} a second, ${latencyMs} ms`,
        value: drained.overRate * 100,
        baseline: 0,
        unit: '%',
        most: 2,
      });
    }
  }
  return [...rows, ...(await throughFullQueue())];
}

async function with429s(options: DrainOptions): Promise<Row[]> {
  const { projects = 1, latencyMs } = options;
  const undisturbed = perMinute(await drain(options));
  const rows: Row[] = [];
  for (const share of SHARES_OF_429) {
    const simulator = { faultRates: { tooManyRequests: share }, faultyCalls: ['export'] } as const;
    const rate = perMinute(await drain({ ...options, simulator }));
    rows.push({
      what: `jobs with ${share * 100}% 429s, ${latencyMs} ms, ${projects} project${projects === 1 ? '' : 's'}`,
      value: rate,
      baseline: undisturbed,
      unit: 'per min',
      least: LEAST[share] ?? 0,
    });
  }
  return rows;
}

/** Ten thousand jobs for a queue of 3,000 that is shared with other users, whose operations start 50 a second. */
async function throughFullQueue(): Promise<Row[]> {
  const jobs = 10_000;
  const startsPerSecond = 50;
  const { totalMs, idleSlotMinutes } = await drain({
    jobs,
    latencyMs: 300,
    simulator: {
      queueLimit: 3000,
      startsPerSecond,
      concurrency: startsPerSecond * 8,
      runMs: [2000, 8000],
      faultRates: { tooManyRequests: 0.0005 },
      faultyCalls: ['export'],
    },
  });
  return [
    {
      what: `${jobs} jobs until all have ended`,
      value: totalMs / 60_000,
      baseline: jobs / startsPerSecond / 60,
      unit: 'min',
      limit: 1.2,
    },
    { what: 'idle slots while jobs waited', value: idleSlotMinutes, baseline: 0, unit: 'slot-min', most: 0 },
  ];
}

const bench: Bench = { name: 'drain', run };
export default bench;
