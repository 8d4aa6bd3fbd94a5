import { type Declare, examples } from '../command.ts';

export const declareResume: Declare = (parent, { run }) => {
  parent
    .command('resume')
    .description('Try waiting jobs now: a permission was granted, a quota was raised, an outage is over.')
    .argument('[ID...]', 'record ids, job keys, or Earth Engine projects; without any, everything that waits')
    .addHelpText('after', examples('resume', 'resume my-ee-project'))
    .action((ids: string[], _options: unknown, command) =>
      run(command, async (cli) => (await import('../actions/resume.ts')).resume(cli, ids)),
    );
};
