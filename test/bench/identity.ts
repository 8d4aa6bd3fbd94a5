import { execFileSync } from 'node:child_process';
import { fileURLToPath } from 'node:url';

import { type Bench, type Row } from './table.ts';

/**
 * From the bytes of a message to a validated job with its content hash and record id, including decoding, compared with
 * `JSON.parse` and one SHA-256 of the same bytes; the check of the video compared with the same; and all that the function does
 * with a message before it writes, which includes the bytes to send. What is compared is the CPU time of a thread.
 *
 * In each process, the code is compiled and the memory laid out differently, by which these ratios differ by a tenth. So the
 * median of several processes counts, and the table shows how much they differ.
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

/** An odd number, so that one of them has the median. */
const PROCESSES = 5;

/** What the check may take, as a multiple of the baseline. */
const CHECK_TIMES = 1;
/** The same for the bytes to send. Formatting the 92,000 numbers of a large region takes longer than parsing them. */
const BYTES_TIMES = 1.5;

/** @param identityTimes what the rest may take */
function measure(what: string, graph: string, identityTimes: number): Row[] {
  const script = fileURLToPath(new URL('identity-process.ts', import.meta.url));
  const measured = Array.from(
    { length: PROCESSES },
    () =>
      JSON.parse(execFileSync(process.execPath, [script, graph], { encoding: 'utf8' })) as readonly number[],
  );
  const row = (name: string, index: number, limit: number): Row => {
    const pairs = measured.map((times) => ({
      baseline: times[0] ?? Number.NaN,
      value: times[index] ?? Number.NaN,
    }));
    const sorted = pairs.toSorted((a, b) => a.value / a.baseline - b.value / b.baseline);
    const ratioAt = (n: number) => {
      const { value = Number.NaN, baseline = Number.NaN } = sorted.at(n) ?? {};
      return (value / baseline).toFixed(2);
    };
    return {
      what: `${name}${what} (${ratioAt(0)} to ${ratioAt(-1)}×)`,
      ...(sorted[Math.floor(PROCESSES / 2)] as (typeof pairs)[number]),
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
