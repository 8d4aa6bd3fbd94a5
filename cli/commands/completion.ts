import type { Command } from 'commander';
import { Argument } from 'commander';

import type { Shell } from '../actions/completion.ts';
import { type CommandContext, examples } from '../command.ts';

const HELP = `
Run once, in bash, zsh, or fish:
  ee-video-exports completion bash >> ~/.bashrc
  ee-video-exports completion zsh >> ~/.zshrc
  ee-video-exports completion fish \\
    > ~/.config/fish/completions/ee-video-exports.fish

In a clone, first make one word of the command:
  alias ee-video-exports='npx ee-video-exports'`;

/** @param completable makes a program with all other commands */
export function declareCompletion(
  parent: Command,
  { run, completable }: Pick<CommandContext, 'run'> & { readonly completable: () => Command },
): void {
  parent
    .command('completion')
    .description('Print a script that completes commands and options in a shell.')
    .addArgument(new Argument('<SHELL>', 'your shell').choices(['bash', 'zsh', 'fish']))
    .addHelpText('after', `${examples('completion bash')}\n${HELP}`)
    .action((shell: Shell, _options: unknown, command: Command) =>
      run(command, async (cli) =>
        (await import('../actions/completion.ts')).printCompletion(cli, shell, completable()),
      ),
    );
  // What the scripts call at each press of Tab.
  parent
    .command('complete', { hidden: true })
    .argument('[WORDS...]')
    .allowUnknownOption()
    .action((words: string[], _options: unknown, command: Command) =>
      run(command, async () => (await import('../actions/completion.ts')).complete(completable(), words)),
    );
}
