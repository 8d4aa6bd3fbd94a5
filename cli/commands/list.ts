import type { ListOptions } from '../actions/list.ts';
import { type Declare, examples } from '../command.ts';
import { deliveryOption, labelOption, limitOption, sinceOption, stateOption } from '../options.ts';

export const declareList: Declare = (parent, { clock, run }) => {
  parent
    .command('list')
    .description('List records, newest first.')
    .addOption(stateOption())
    .addOption(deliveryOption())
    .option('--batch <ID>', 'only jobs of this batch')
    .addOption(labelOption('only jobs with this label'))
    .addOption(sinceOption(clock))
    .addOption(limitOption())
    .option('--page <TOKEN>', 'continue an earlier list, with the page token that it printed')
    .addHelpText(
      'after',
      examples(
        'list --state running,pending',
        'list --label team=water --since 30d',
        'list --batch weekly@2026-11-23 --json',
      ),
    )
    .action((options: ListOptions, command) =>
      run(command, async (cli) => (await import('../actions/list.ts')).list(cli, options)),
    );
};
