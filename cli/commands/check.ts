import { type Declare, examples } from '../command.ts';

export const declareCheck: Declare = (parent, { run }) => {
  parent
    .command('check')
    .description(
      'Find what would keep Earth Engine from making a video, before anything is sent. Needs no connection. docs/checks.md explains each finding.',
    )
    .argument(
      '<FILE...>',
      'files with a job message, a manifest, a request, or an expression each; - reads standard input',
    )
    .addHelpText('after', examples('check job.json', 'check jobs/*.json --json'))
    .action((files: string[], _options: object, command) =>
      run(command, async (cli) => (await import('../actions/check.ts')).check(cli, files)),
    );
};
