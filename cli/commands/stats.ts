import type { StatsOptions } from '../actions/stats.ts';
import { type Declare, examples } from '../command.ts';
import { labelOption, parseGrouping, sinceOption } from '../options.ts';

export const declareStats: Declare = (parent, { clock, run }) => {
  parent
    .command('stats')
    .description('Count records by state, and sum the EECU-time that they cost.')
    .option('--batch <ID>', 'only jobs of this batch')
    .addOption(labelOption('only jobs with this label'))
    .addOption(sinceOption(clock))
    .option(
      '--by <GROUP>',
      'sum EECU-hours by batch, month or label:NAME (reads every record)',
      parseGrouping,
    )
    .addHelpText(
      'after',
      `
EECU-time is the sum of final values. "At least" is the sum of the last values
seen of jobs that have not ended, or that ended without a final value: Earth
Engine reports none for failed jobs.`,
    )
    .addHelpText('after', examples('stats', 'stats --by month --since 90d', 'stats --by label:team'))
    .action((options: StatsOptions, command) =>
      run(command, async (cli) => (await import('../actions/stats.ts')).stats(cli, options)),
    );
};
