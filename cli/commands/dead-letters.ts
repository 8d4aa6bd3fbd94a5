import type { ListDeadLettersOptions, ReplayCommandOptions } from '../actions/dead-letters.ts';
import { type Declare, examples } from '../command.ts';
import { limitOption, reasonOption, sinceOption } from '../options.ts';

export const declareDeadLetters: Declare = (parent, context) => {
  const deadLetters = parent
    .command('dead-letters')
    .description('List and replay messages that never became a job.')
    .helpCommand('help [COMMAND]', 'print the help of a command');
  declareList(deadLetters, context);
  declareReplay(deadLetters, context);
};

const declareList: Declare = (deadLetters, { clock, run }) => {
  deadLetters
    .command('list')
    .description(
      'List the messages that the service rejected, and the dead letters (reason DEAD_LETTER), newest first.',
    )
    .addOption(reasonOption('--reason <REASON...>', 'only these reasons, such as DEAD_LETTER (default: all)'))
    .addOption(sinceOption(clock))
    .addOption(limitOption())
    .addHelpText('after', examples('dead-letters list --since 7d', 'dead-letters list --reason DEAD_LETTER'))
    .action((options: ListDeadLettersOptions, command) =>
      run(command, async (cli) => (await import('../actions/dead-letters.ts')).listDeadLetters(cli, options)),
    );
};

const declareReplay: Declare = (deadLetters, { run }) => {
  deadLetters
    .command('replay')
    .description('Publish messages to their original topics again. Jobs that already ran do not run twice.')
    .argument('[MESSAGE_ID...]', 'only these messages; without any, all with one of the reasons')
    .addOption(reasonOption('--reason <REASON...>', 'only these reasons (default: DEAD_LETTER)'))
    .option('--dry-run', 'only print which messages would be published')
    .addHelpText(
      'after',
      examples('dead-letters replay --dry-run', 'dead-letters replay --reason INVALID_JOB'),
    )
    .action((ids: string[], options: ReplayCommandOptions, command) =>
      run(command, async (cli) => (await import('../actions/dead-letters.ts')).replay(cli, ids, options)),
    );
};
