import type { BatchOptions, RunBatchOptions } from '../actions/batch.ts';
import { type Declare, examples } from '../command.ts';
import { everyOption, runOption } from '../options.ts';

const MANIFEST = ['<MANIFEST>', 'a file; - reads standard input'] as const;

export const declareBatch: Declare = (parent, context) => {
  const batch = parent.command('batch').description('Run many jobs from one manifest.').helpCommand(false);
  declarePlan(batch, context);
  declareRun(batch, context);
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
