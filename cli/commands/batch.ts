import type { Command } from 'commander';

import type { BatchOptions, RunBatchOptions } from '../actions/batch.ts';
import type { ListBatchesOptions } from '../actions/batches.ts';
import { type Declare, examples } from '../command.ts';
import { everyOption, limitOption, runOption, sinceOption } from '../options.ts';

const MANIFEST = ['<MANIFEST>', 'a file; - reads standard input'] as const;

export const declareBatch: Declare = (parent, context) => {
  const batch = parent
    .command('batch')
    .description('Run many jobs from one manifest.')
    .helpCommand('help [COMMAND]', 'print the help of a command');
  declarePlan(batch, context);
  declareRun(batch, context);
  declareList(batch, context);
  declareShow(batch, context);
};

const declareList: Declare = (batch, { clock, run }) => {
  batch
    .command('list')
    .description('List batches, newest first.')
    .addOption(sinceOption(clock))
    .addOption(limitOption())
    .addHelpText('after', examples('batch list', 'batch list --since 7d --format csv'))
    .action((options: ListBatchesOptions, command) =>
      run(command, async (cli) => (await import('../actions/batches.ts')).listBatches(cli, options)),
    );
};

const declareShow: Declare = (batch, { run }) => {
  batch
    .command('show')
    .description('Show a batch: how many jobs are in each state, and what it cost.')
    .argument('<ID>', 'a batch')
    .addHelpText('after', examples('batch show weekly@2026-11-23'))
    .action((id: string, _options: unknown, command: Command) =>
      run(command, async (cli) => (await import('../actions/batches.ts')).showOneBatch(cli, id)),
    );
};

const declarePlan: Declare = (batch, { run }) => {
  batch
    .command('plan')
    .description('Show what running a manifest would do, and publish nothing.')
    .argument(...MANIFEST)
    .addOption(runOption())
    .addHelpText('after', examples('batch plan weekly.json', 'batch plan weekly.json --run 2026-11-23'))
    .action((file: string, options: BatchOptions, command) =>
      run(command, async (cli) => (await import('../actions/batch.ts')).planBatch(cli, file, options)),
    );
};

const declareRun: Declare = (batch, { run }) => {
  batch
    .command('run')
    .description('Check a manifest and publish it.')
    .argument(...MANIFEST)
    .addOption(runOption())
    .option('--watch', 'follow the batch until it ends')
    .addOption(everyOption())
    .addHelpText('after', examples('batch run weekly.json --watch'))
    .action((file: string, options: RunBatchOptions, command) =>
      run(command, async (cli) => (await import('../actions/batch.ts')).runBatch(cli, file, options)),
    );
};
