import { Option } from 'commander';

import type { OpenOptions } from '../actions/open.ts';
import { type Declare, examples } from '../command.ts';

export const declareOpen: Declare = (parent, { run }) => {
  parent
    .command('open')
    .description('Open a job in the browser: its video, its task, or its record. Prints the address too.')
    .argument('<ID>', 'a record id or a job key')
    .addOption(
      new Option('--in <PLACE>', 'where (default: the video if it is known, or else the task)').choices([
        'video',
        'bucket',
        'task',
        'record',
      ]),
    )
    .addHelpText('after', examples('open las-vegas/2020', 'open las-vegas/2020 --in record'))
    .action((id: string, options: OpenOptions, command) =>
      run(command, async (cli) => (await import('../actions/open.ts')).open(cli, id, options)),
    );
};
