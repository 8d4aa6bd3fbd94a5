import { readOptions, wholeNumber } from '../../infra/local/options.ts';
import { findCrashPoints, tableOf } from './crash-points.ts';
import { behaviors, deliveries, play } from './scenario.ts';
import { findInjections, nameOf } from './injections.ts';

/**
 * The complete fault matrix with any number of seeds: `npm run matrix -- --seeds 5`. With `--table` it prints the rows
 * of shared/submission/RECOVERY.md instead.
 */

const usage = `usage: npm run matrix [-- --seeds 5] [--table]

  --seeds  the number of times that each fault is played, each time with another seed
  --table  print the rows of shared/submission/RECOVERY.md instead`;
const { values } = readOptions(usage, {
  options: { seeds: { type: 'string', default: '5' }, table: { type: 'boolean', default: false } },
});
const seeds = wholeNumber('seeds', values.seeds, usage);
if (values.table) {
  process.stdout.write(`${tableOf(await findCrashPoints()).join('\n')}\n`);
  process.exit();
}
let broken = 0;
let runs = 0;

for (const behavior of behaviors) {
  let played = 0;
  let duplicates = 0;
  for (const delivery of deliveries) {
    for (let seed = 1; seed <= seeds; seed += 1) {
      const base = { behavior, delivery, seed };
      for (const at of await findInjections(base)) {
        const { violations, operations } = await play({ ...base, at });
        played += 1;
        duplicates += operations.length > 1 ? 1 : 0;
        for (const violation of violations) {
          broken += 1;
          process.stdout.write(`  ${delivery}, seed ${seed}, ${nameOf(at)}: ${violation}\n`);
        }
      }
    }
  }
  runs += played;
  const seen = behavior.breaksAssumption ? `, ${duplicates} duplicates, all detected and reported` : '';
  process.stdout.write(`${String(played).padStart(6)} runs: ${behavior.name}${seen}\n`);
}

process.stdout.write(`${runs} runs, ${broken} violations\n`);
process.exitCode = broken > 0 ? 1 : 0;
