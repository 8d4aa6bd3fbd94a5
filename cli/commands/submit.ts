import type { SubmitOptions } from '../actions/submit.ts';
import { type Declare, examples } from '../command.ts';
import { everyOption } from '../options.ts';

export const declareSubmit: Declare = (parent, { run }) => {
  parent
    .command('submit')
    .description('Check job messages as the service does, and publish them. Prints what happens to each.')
    .argument('<FILE...>', 'files with one job message each; - reads standard input')
    .option('--dry-run', 'print the record id and the request to Earth Engine, and publish nothing')
    .option('--watch', 'follow the jobs until they end')
    .addOption(everyOption())
    .addHelpText(
      'after',
      examples('submit job.json --watch', 'submit jobs/*.json', 'submit - --dry-run < job.json'),
    )
    .action((files: string[], options: SubmitOptions, command) =>
      run(command, async (cli) => (await import('../actions/submit.ts')).submit(cli, files, options)),
    );
};
