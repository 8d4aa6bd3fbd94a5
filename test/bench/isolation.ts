import { isolationOf, MOST_POLLS, troubles, type Wait } from '../scale/isolation.ts';
import type { Bench, Row } from './table.ts';

/**
 * How long the first good job waits after its gate's time is over, in the project that has a trouble and in another one.
 * The baseline is the same without a trouble. Time is virtual: Earth Engine's calls and the Scheduler take theirs.
 */
async function run(): Promise<Row[]> {
  const quiet = await isolationOf({ name: 'no trouble' });
  const rows: Row[] = [];
  for (const trouble of troubles) {
    const { same, other } = await isolationOf(trouble);
    rows.push(
      ...rowsOf(`${trouble.name}: the same project`, same, quiet.same, MOST_POLLS.same),
      ...rowsOf(`${trouble.name}: another project`, other, quiet.other, MOST_POLLS.other),
    );
  }
  return rows;
}

const rowsOf = (what: string, wait: Wait, baseline: Wait, most: number): Row[] => [
  { what, value: wait.polls, baseline: baseline.polls, unit: 'polls', most },
  { what, value: wait.minutes, baseline: baseline.minutes, unit: 'min' },
];

export default { name: 'isolation', run } satisfies Bench;
