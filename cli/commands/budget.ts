import { InvalidArgumentError } from 'commander';

import type { SetBudgetOptions } from '../actions/budget.ts';
import { type Declare, examples } from '../command.ts';
import { labelOption } from '../options.ts';

export const declareBudget: Declare = (parent, context) => {
  const budget = parent
    .command('budget')
    .description('Limit the EECU-hours that jobs may use, and show what they have used.')
    .helpCommand(false);
  declareSet(budget, context);
  declareList(budget, context);
  declareShow(budget, context);
  declareRemove(budget, context);
};

const declareSet: Declare = (budget, { run }) => {
  budget
    .command('set')
    .description(
      'Create a budget, or replace it. It takes effect within seconds, and covers all jobs that match.',
    )
    .argument('<ID>', 'the name of the budget')
    .requiredOption('--limit <EECU_HOURS>', 'what its jobs may use: 100 percent', parseHours)
    .option('--total', 'count from the beginning, and never reset (default: reset each month)')
    .option('--time-zone <NAME>', 'where a month begins, such as Europe/Berlin (default: UTC)')
    .option('--match-project <ID>', 'only jobs of this Earth Engine project')
    .option('--batch-prefix <TEXT>', 'only jobs whose batch begins with this')
    .addOption(labelOption('only jobs with this label'))
    .option('--notify <PERCENT...>', 'send an event at these percentages', parsePercents)
    .option('--hold <PERCENT>', 'at this percentage, stop sending new jobs: they wait', parsePercent)
    .option('--cancel <PERCENT>', 'at this percentage, also cancel jobs that run', parsePercent)
    .option('--strict', 'also hold jobs while the service cannot tell what was spent')
    .addHelpText(
      'after',
      examples(
        'budget set water --limit 100 --label team=water --notify 80 --hold 100',
        'budget set trial --limit 5 --total --batch-prefix trial --cancel 100',
      ),
    )
    .action((id: string, options: SetBudgetOptions, command) =>
      run(command, async (cli) => (await import('../actions/budget.ts')).setBudget(cli, id, options)),
    );
};

const declareList: Declare = (budget, { run }) => {
  budget
    .command('list')
    .description('List all budgets, with what was spent of each.')
    .action((_options, command) =>
      run(command, async (cli) => (await import('../actions/budget.ts')).listBudgets(cli)),
    );
};

const declareShow: Declare = (budget, { run }) => {
  budget
    .command('show')
    .description('Show a budget, what was spent of it, and what is left.')
    .argument('<ID>', 'the name of the budget')
    .action((id: string, _options, command) =>
      run(command, async (cli) => (await import('../actions/budget.ts')).showBudget(cli, id)),
    );
};

const declareRemove: Declare = (budget, { run }) => {
  budget
    .command('remove')
    .description('Delete a budget. The next poll releases the jobs that it holds.')
    .argument('<ID>', 'the name of the budget')
    .action((id: string, _options, command) =>
      run(command, async (cli) => (await import('../actions/budget.ts')).removeBudget(cli, id)),
    );
};

function parseHours(text: string): number {
  const value = /^\d+(?:\.\d+)?$/.test(text) ? Number(text) : Number.NaN;
  if (!(value <= 1e9)) {
    throw new InvalidArgumentError('Use a number of EECU-hours, such as 100 or 0.5.');
  }
  return value;
}

function parsePercent(text: string): number {
  const value = /^\d+(?:\.\d+)?$/.test(text) ? Number(text) : 0;
  if (value <= 0 || value > 1000) {
    throw new InvalidArgumentError('Use a percentage above 0, such as 80.');
  }
  return value;
}

const parsePercents = (text: string, earlier: number[] = []): number[] => [...earlier, parsePercent(text)];
