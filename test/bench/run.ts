import { readOptions, wrongOption } from '../../infra/local/options.ts';
import batch from './batch.ts';
import cliHelp from './cli-help.ts';
import coldStart from './cold-start.ts';
import delivery from './delivery.ts';
import identity from './identity.ts';
import isolation from './isolation.ts';
import drain from './drain.ts';
import memory from './memory.ts';
import page from './page.ts';
import poll from './poll.ts';
import submit from './submit.ts';
import { type Bench, formatTable, isOver } from './table.ts';

/** `npm run bench [-- NAME…]` runs all benchmarks, or those named. It fails if one exceeds its limit. */
const benches: readonly Bench[] = [
  cliHelp,
  batch,
  coldStart,
  identity,
  submit,
  poll,
  delivery,
  drain,
  isolation,
  memory,
  page,
];

const usage = `usage: npm run bench [-- NAME…]

  NAME  ${benches.map(({ name }) => name).join(', ')} (default: all)`;
const { positionals: names } = readOptions(usage, { allowPositionals: true });
const unknown = names.filter((name) => !benches.some((bench) => bench.name === name));
if (unknown.length > 0) {
  wrongOption(`No benchmark is called ${unknown.join(', ')}.`, usage);
}

for (const bench of benches) {
  if (names.length > 0 && !names.includes(bench.name)) {
    continue;
  }
  const rows = await bench.run();
  console.log(`${formatTable(bench.name, rows)}\n`);
  if (rows.some(isOver)) {
    process.exitCode = 1;
  }
}
