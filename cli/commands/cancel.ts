import type { CancelOptions } from '../actions/cancel.ts';
import { type Declare, examples } from '../command.ts';

export const declareCancel: Declare = (parent, { run }) => {
  parent
    .command('cancel')
    .description('Cancel jobs. A job that Earth Engine is already rendering may still succeed.')
    .argument('[ID...]', 'record ids, job keys (every attempt), or batches (every job)')
    .option('--job-key <KEY>', 'every attempt at this job')
    .option('--batch <ID>', 'every job of this batch; stops its expansion')
    .option('--ahead', 'also cancel what does not exist yet: its jobs are not sent when they arrive')
    .option('--dry-run', 'only print what would be canceled')
    .option('-y, --yes', 'do not ask before a whole batch is canceled')
    .addHelpText('after', examples('cancel las-vegas/2020', 'cancel weekly@2026-11-23 --dry-run'))
    .action((ids: string[], options: CancelOptions, command) =>
      run(command, async (cli) => (await import('../actions/cancel.ts')).cancel(cli, ids, options)),
    );
};
