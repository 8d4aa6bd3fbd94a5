import type { StatsOptions } from '../actions/stats.ts';
import { type Declare, examples } from '../command.ts';
import { labelOption, parseGrouping, parsePrice, sinceOption } from '../options.ts';

export const declareStats: Declare = (parent, { clock, run }) => {
  parent
    .command('stats')
    .description(
      'Count jobs by the state of their latest attempt, and sum the EECU-time that all attempts cost.',
    )
    .option('--batch <ID>', 'only jobs of this batch')
    .addOption(labelOption('only jobs with this label'))
    .addOption(sinceOption(clock))
    .option(
      '--by <GROUP>',
      'report EECU-hours by batch, month, shape or label:NAME (reads every record)',
      parseGrouping,
    )
    .option('--price <AMOUNT>', 'of one EECU-hour, in any currency: adds the cost', parsePrice)
    .addHelpText(
      'after',
      `
A job counts once, by its latest attempt, and a line says how many earlier
attempts are left out. list has every attempt.

EECU-time is the sum of final values. "At least" is the sum of the last values
seen of jobs that have not ended, or that ended without a final value: Earth
Engine reports none for failed jobs.

With --by, each line also has the EECU-hours of attempts that failed, those of
second and later attempts, a forecast for this month at the pace of the last
seven days, and what is left of the budget that covers its jobs. A job counts in
the month in which it ended. A narrow terminal does not show all columns, and
--format csv has all of them.`,
    )
    .addHelpText(
      'after',
      examples('stats', 'stats --by month --since 90d', 'stats --by label:team --price 0.4 --format csv'),
    )
    .action((options: StatsOptions, command) =>
      run(command, async (cli) => (await import('../actions/stats.ts')).stats(cli, options)),
    );
};
