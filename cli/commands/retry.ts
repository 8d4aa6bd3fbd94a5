import type { RetryOptions } from '../actions/retry.ts';
import { type Declare, examples } from '../command.ts';
import { everyOption, labelOption } from '../options.ts';

export const declareRetry: Declare = (parent, { run }) => {
  parent
    .command('retry')
    .description('Retry jobs that failed or were rejected, lost or canceled, as their next attempt.')
    .argument('[ID...]', 'record ids, job keys, or batches')
    .option('--batch <ID>', 'all such jobs of this batch')
    .addOption(labelOption('all such jobs with this label'))
    .option('--undelivered', 'retry jobs that succeeded, but whose video is missing or suspect')
    .option('--force', 'also retry jobs that would most likely fail the same way, such as out of memory')
    .option('--dry-run', 'only print which jobs would be retried')
    .option('--watch', 'follow the new attempts until they end')
    .addOption(everyOption())
    .addHelpText('after', examples('retry las-vegas/2020', 'retry weekly@2026-11-23 --watch'))
    .action((ids: string[], options: RetryOptions, command) =>
      run(command, async (cli) => (await import('../actions/retry.ts')).retry(cli, ids, options)),
    );
};
