import { execFileSync } from 'node:child_process';
import { fileURLToPath } from 'node:url';

import { runWholeBatch } from '../batch/whole-batch.ts';
import type { Bench, Row } from './table.ts';

/**
 * A manifest of 20,000 videos, each with a graph of 250 lines. First it is checked and published in a separate process, whose
 * peak memory is compared with that for 200 videos, and whose time is compared with serializing the same messages one by
 * one. Then the batch runs with the simulator until it is FINISHED.
 */
const bench: Bench = {
  name: 'batch',
  run: async () => {
    const few = expand(200);
    const many = expand(20_000);
    return [
      {
        what: 'peak memory, 20,000 jobs compared with 200',
        value: many.peakMb,
        baseline: few.peakMb,
        unit: 'MB',
        most: 300,
      },
      {
        what: '20,000 jobs checked and published',
        value: many.ms,
        baseline: many.serializeMs,
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
  readonly serializeMs: number;
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
  return { what: '20,000 jobs from manifest to FINISHED', value: seconds, baseline: seconds, unit: 's' };
}
