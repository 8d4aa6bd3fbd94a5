import { parseArgs } from 'node:util';

import { runChaos } from './chaos.ts';
import { report } from './report.ts';

/*
 * `npm run chaos -- --jobs 300 --seconds 60 --seed 1`: see chaos.ts. Prints one page; exits with 0 only if nothing was
 * lost, doubled or untrue.
 */

const { values } = parseArgs({
  options: {
    jobs: { type: 'string', default: '300' },
    seconds: { type: 'string', default: '60' },
    seed: { type: 'string', default: '1' },
  },
});

function whole(name: keyof typeof values): number {
  const value = Number(values[name]);
  if (Number.isInteger(value) && value >= 1) return value;
  console.error(`--${name} must be a whole number from 1: found ${values[name]}`);
  process.exit(2);
}

const options = { jobs: whole('jobs'), seconds: whole('seconds'), seed: whole('seed') };
console.log(`${options.jobs} jobs, ${options.seconds} s of trouble, seed ${options.seed} …\n`);
const result = await runChaos(options);
console.log(report(result));
process.exitCode = result.problems.length === 0 ? 0 : 1;
