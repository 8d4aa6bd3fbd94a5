import type { Command } from 'commander';

import type { UseContextOptions } from '../actions/context.ts';
import { type Declare, examples } from '../command.ts';

export const declareContext: Declare = (parent, context) => {
  const contexts = parent
    .command('context')
    .description('Choose the service that every terminal uses.')
    .helpCommand('help [COMMAND]', 'print the help of a command');
  declareList(contexts, context);
  declareUse(contexts, context);
  declareEnv(contexts, context);
};

const declareList: Declare = (contexts, { run }) => {
  contexts
    .command('list')
    .description('List the contexts; a star marks the one in use.')
    .addHelpText('after', examples('context list'))
    .action((_options, command) =>
      run(command, async (cli) => (await import('../actions/context.ts')).listContexts(cli)),
    );
};

const declareUse: Declare = (contexts, { run }) => {
  contexts
    .command('use')
    .description('Use a context from now on. With --project, make it first, or change it.')
    .argument('<NAME>', 'local for the service of npm start, or a name that you choose')
    .option('--database <ID>', 'the Firestore database of the service, if it is not (default)')
    .addHelpText(
      'after',
      examples('context use production --project my-project', 'context use local', 'context use production'),
    )
    .action((name: string, _options: unknown, command: Command) =>
      run(command, async (cli) =>
        (await import('../actions/context.ts')).useContext(
          cli,
          name,
          command.optsWithGlobals<UseContextOptions>(),
        ),
      ),
    );
};

const declareEnv: Declare = (contexts, { run }) => {
  contexts
    .command('env')
    .description('Print the context as export lines, for gcloud, curl, and your own programs.')
    .addHelpText(
      'after',
      `${examples('context env')}\n\nIn bash and zsh: eval "$(npx ee-video-exports context env)"`,
    )
    .action((_options, command) =>
      run(command, async (cli) => (await import('../actions/context.ts')).printEnvironment(cli)),
    );
};
