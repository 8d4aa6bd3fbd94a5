import { execFileSync } from 'node:child_process';
import { fileURLToPath } from 'node:url';

import { type Bench, type Row } from './table.ts';

/**
 * From the bytes of a message to a validated job with its content hash and record id, including decoding, compared with
 * `JSON.parse` and one SHA-256 of the same bytes; the check of the video compared with the same; and all that the function does
 * with a message before it writes, which includes the bytes to send. What is compared is the CPU time of a thread.
 *
 * Each process compiles the code and lays out its memory differently, so these ratios differ by a tenth between processes. The
 * median of several processes counts, and the table shows the lowest and the highest ratio.
 */
const bench: Bench = {
  name: 'identity',
  run: () =>
    Promise.resolve([
      ...measure('one region, 1.7 MB', 'REGION', 3),
      ...measure('30,000 nodes, 1.7 MB', 'NODES', 4),
    ]),
};
export default bench;

/** An odd number, so that one process has the median. */
const PROCESSES = 5;

/** What the check may take, as a multiple of the baseline. */
const CHECK_TIMES = 1;
/** The same for the bytes to send. Formatting the 92,000 numbers of a large region takes longer than parsing them. */
const BYTES_TIMES = 1.5;

/** @param identityTimes what a validated job may take, as a multiple of the baseline */
function measure(what: string, graph: 'REGION' | 'NODES', identityTimes: number): Row[] {
  const script = fileURLToPath(new URL('identity-process.ts', import.meta.url));
  const measured = Array.from(
    { length: PROCESSES },
    () =>
      JSON.parse(execFileSync(process.execPath, [script, graph], { encoding: 'utf8' })) as readonly number[],
  );
  const row = (name: string, index: number, limit: number): Row => {
    const byRatio = measured
      .map((times) => ({ value: times[index] ?? Number.NaN, baseline: times[0] ?? Number.NaN }))
      .toSorted((a, b) => a.value / a.baseline - b.value / b.baseline);
    const ratios = byRatio.map(({ value, baseline }) => (value / baseline).toFixed(2));
    const { value = Number.NaN, baseline = Number.NaN } = byRatio[Math.floor(PROCESSES / 2)] ?? {};
    return {
      what: `${name}${what} (${ratios[0]} to ${ratios.at(-1)}×)`,
      value,
      baseline,
      unit: 'ms',
      limit,
    };
  };
  return [
    row('', 1, identityTimes),
    row('check of ', 2, CHECK_TIMES),
    row('all of ', 3, identityTimes + CHECK_TIMES + BYTES_TIMES),
  ];
}
