import { execFileSync } from 'node:child_process';
import { fileURLToPath } from 'node:url';

import { runWholeBatch } from '../batch/whole-batch.ts';
import type { Bench, Row } from './table.ts';

/**
 * A manifest of 20,000 videos, each with a graph of 250 lines: checking and publishing it in a process of its own, whose peak
 * of memory is held against that of one that expands 200, and its time against serialising the same messages one by one; then
 * the whole way to a FINISHED batch against the simulator.
 */
const bench: Bench = {
  name: 'batch',
  run: async () => {
    const few = expand(200);
    const many = expand(20_000);
    return [
      {
        what: 'peak memory, 20,000 against 200',
        value: many.peakMb,
        baseline: few.peakMb,
        unit: 'MB',
        most: 300,
      },
      {
        what: '20,000 checked and published',
        value: many.ms,
        baseline: many.serialiseMs,
        unit: 'ms',
        most: 60_000,
      },
      await wholeBatch(20_000),
    ];
  },
};
export default bench;

interface Expanded {
  readonly peakMb: number;
  readonly ms: number;
  readonly serialiseMs: number;
}

const expand = (jobs: number): Expanded =>
  JSON.parse(
    execFileSync(
      process.execPath,
      [fileURLToPath(new URL('expand-process.ts', import.meta.url)), String(jobs)],
      {
        encoding: 'utf8',
      },
    ),
  ) as Expanded;

async function wholeBatch(jobs: number): Promise<Row> {
  const startedAt = performance.now();
  const { batch, harness } = await runWholeBatch(jobs);
  const operations = harness.simulator.operations().length;
  if (batch.counts?.SUCCEEDED !== jobs || operations !== jobs) {
    throw new Error(`${operations} operations, and the batch counts ${JSON.stringify(batch.counts)}`);
  }
  const seconds = (performance.now() - startedAt) / 1000;
  return { what: '20,000 from manifest to FINISHED', value: seconds, baseline: seconds, unit: 's' };
}
