import tab from '@bomb.sh/tab/commander';
import type { Command } from 'commander';

import type { Cli } from '../cli.ts';
import { type ExitCode, exitCodes } from '../exit-codes.ts';

const NAME = 'ee-video-exports';

export type Shell = 'bash' | 'zsh' | 'fish';

/** The script of the library needs this function of the package bash-completion, which not every machine has. */
const BASH_WORDS = `if ! declare -F _get_comp_words_by_ref > /dev/null; then
    _get_comp_words_by_ref() {
        cur=\${COMP_WORDS[COMP_CWORD]} prev=\${COMP_WORDS[COMP_CWORD-1]}
        words=("\${COMP_WORDS[@]}") cword=$COMP_CWORD
    }
fi`;

/** The library writes to standard output itself. */
export function printCompletion(
  { terminal }: Pick<Cli, 'terminal'>,
  shell: Shell,
  program: Command,
): ExitCode {
  if (shell === 'bash') {
    terminal.out(BASH_WORDS);
  }
  completing(program).setup(NAME, NAME, shell);
  return exitCodes.DONE;
}

export function complete(program: Command, words: readonly string[]): ExitCode {
  completing(program).parse([...words]);
  return exitCodes.DONE;
}

function completing(program: Command): ReturnType<typeof tab> {
  // Every command accepts the options of the program, which the library does not know.
  for (const command of leavesOf(program)) {
    for (const option of program.options) {
      command.addOption(option);
    }
  }
  return tab(program, { completionCommandName: 'completion' });
}

const leavesOf = (command: Command): Command[] =>
  command.commands.length === 0 ? [command] : command.commands.flatMap(leavesOf);
