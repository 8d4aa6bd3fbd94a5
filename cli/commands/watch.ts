import type { WatchOptions } from '../actions/watch.ts';
import { type Declare, examples } from '../command.ts';
import { everyOption } from '../options.ts';

export const declareWatch: Declare = (parent, { run }) => {
  parent
    .command('watch')
    .description(
      'Follow jobs until they end: as bars on a terminal, as lines in a pipe. Ctrl-C leaves the jobs running.',
    )
    .argument(
      '[ID...]',
      'record ids, job keys, or one batch; without any, all jobs that have not ended, as counts',
    )
    .option('--batch <ID>', 'the jobs of this batch, as counts')
    .addOption(everyOption())
    .addHelpText('after', examples('watch las-vegas/2020', 'watch weekly@2026-11-23'))
    .action((ids: string[], options: WatchOptions, command) =>
      run(command, async (cli) => (await import('../actions/watch.ts')).watch(cli, ids, options)),
    );
};
