import { readOptions, wholeNumber } from '../../infra/local/options.ts';
import { runChaos } from './chaos.ts';
import { report } from './report.ts';

/*
 * `npm run chaos` runs chaos.ts and prints a report. It exits with 0 only if nothing was lost or duplicated and every record
 * is true.
 */

const usage = `usage: npm run chaos [-- --jobs 300] [--seconds 60] [--seed 1]

  --jobs     the number of jobs
  --seconds  how long faults occur
  --seed     the seed of the faults`;
const { values } = readOptions(usage, {
  options: {
    jobs: { type: 'string', default: '300' },
    seconds: { type: 'string', default: '60' },
    seed: { type: 'string', default: '1' },
  },
});

const whole = (name: keyof typeof values): number => wholeNumber(name, values[name], usage);

const options = { jobs: whole('jobs'), seconds: whole('seconds'), seed: whole('seed') };
console.log(`${options.jobs} jobs, ${options.seconds} s of faults, seed ${options.seed} …\n`);
const result = await runChaos(options);
console.log(report(result));
process.exitCode = result.problems.length === 0 ? 0 : 1;
