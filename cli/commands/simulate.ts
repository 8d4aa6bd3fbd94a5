import { Argument } from 'commander';

import { type Declare, examples } from '../command.ts';
import { troubles } from '../troubles.ts';

export const declareSimulate: Declare = (parent, { run }) => {
  parent
    .command('simulate')
    .description('Make the simulated Earth Engine of npm start cause trouble, to see what one then sees.')
    .addArgument(new Argument('<TROUBLE>', 'what goes wrong; off ends all of it').choices(troubles))
    .addHelpText('after', examples('simulate queue-full', 'simulate off'))
    .action((trouble: (typeof troubles)[number], _options, command) =>
      run(command, async (cli) => (await import('../actions/simulate.ts')).simulate(cli, trouble)),
    );
};
