import type { CancelOptions } from '../actions/cancel.ts';
import { type Declare, examples } from '../command.ts';

export const declareCancel: Declare = (parent, { run }) => {
  parent
    .command('cancel')
    .description('Cancel jobs. A job that Earth Engine is already rendering may still succeed.')
    .argument('[ID...]', 'record ids')
    .option('--job-key <KEY>', 'every attempt at this job')
    .option('--batch <ID>', 'every job of this batch; stops its expansion')
    .option('--ahead', 'also cancel what does not exist yet: its jobs are not sent when they arrive')
    .addHelpText('after', examples('cancel --job-key las-vegas/2020', 'cancel --batch weekly@2026-11-23'))
    .action((ids: string[], options: CancelOptions, command) =>
      run(command, async (cli) => (await import('../actions/cancel.ts')).cancel(cli, ids, options)),
    );
};
