import type { DownloadOptions } from '../actions/download.ts';
import { type Declare, examples } from '../command.ts';

export const declareDownload: Declare = (parent, { run }) => {
  parent
    .command('download')
    .description('Download the videos of jobs that succeeded. Repeat it to resume what was interrupted.')
    .argument('[ID...]', 'record ids, job keys, or batches')
    .option('--batch <ID>', 'all videos of this batch')
    .option('--to <FOLDER>', 'where to save them', '.')
    .addHelpText(
      'after',
      `
A file has the name of the job key, or else that of the object in the bucket.`,
    )
    .addHelpText(
      'after',
      examples('download las-vegas/2020', 'download --batch weekly@2026-11-23 --to videos'),
    )
    .action((ids: string[], options: DownloadOptions, command) =>
      run(command, async (cli) => (await import('../actions/download.ts')).download(cli, ids, options)),
    );
};
