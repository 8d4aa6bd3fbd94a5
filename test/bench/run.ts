import batch from './batch.ts';
import cliHelp from './cli-help.ts';
import coldStart from './cold-start.ts';
import identity from './identity.ts';
import drain from './drain.ts';
import poll from './poll.ts';
import submit from './submit.ts';
import { type Bench, formatTable, isOver, type Row } from './table.ts';

/** `npm run bench [-- NAME…]`: every benchmark, or those named. Fails where a promised ratio is not kept. */
const benches: readonly Bench[] = [cliHelp, batch, coldStart, identity, submit, poll, drain];

const names = process.argv.slice(2);
const unknown = names.filter((name) => !benches.some((bench) => bench.name === name));
if (unknown.length > 0) {
  console.error(
    `No benchmark ${unknown.join(', ')}; there are ${benches.map(({ name }) => name).join(', ')}.`,
  );
  process.exit(2);
}

const rows: (Row & { bench: string })[] = [];
for (const bench of benches) {
  if (names.length > 0 && !names.includes(bench.name)) continue;
  for (const row of await bench.run()) rows.push({ bench: bench.name, ...row });
}
console.log(formatTable(rows));
if (rows.some(isOver)) process.exitCode = 1;
