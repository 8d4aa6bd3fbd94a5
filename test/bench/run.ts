import { readOptions, wrongOption } from '../../infra/local/options.ts';
import { type Bench, formatTable, isOver } from './table.ts';

/**
 * `npm run bench [-- NAME…]` runs all benchmarks, or those named. It fails if one exceeds its limit. A benchmark loads most of the
 * project, so only those that run are loaded.
 */
const benches: Readonly<Record<string, () => Promise<{ readonly default: Bench }>>> = {
  'cli-help': () => import('./cli-help.ts'),
  batch: () => import('./batch.ts'),
  'cold-start': () => import('./cold-start.ts'),
  identity: () => import('./identity.ts'),
  submit: () => import('./submit.ts'),
  poll: () => import('./poll.ts'),
  delivery: () => import('./delivery.ts'),
  drain: () => import('./drain.ts'),
  fleet: () => import('./fleet.ts'),
  isolation: () => import('./isolation.ts'),
  memory: () => import('./memory.ts'),
  page: () => import('./page.ts'),
};

const usage = `usage: npm run bench [-- NAME…]

  NAME  ${Object.keys(benches).join(', ')} (default: all)`;
const { positionals: names } = readOptions(usage, { allowPositionals: true });
const unknown = names.filter((name) => !Object.hasOwn(benches, name));
if (unknown.length > 0) {
  wrongOption(`No benchmark is called ${unknown.join(', ')}.`, usage);
}

for (const [name, load] of Object.entries(benches)) {
  if (names.length > 0 && !names.includes(name)) {
    continue;
  }
  const { default: bench } = await load();
  const rows = await bench.run();
  console.log(`${formatTable(bench.name, rows)}\n`);
  if (rows.some(isOver)) {
    process.exitCode = 1;
  }
}
