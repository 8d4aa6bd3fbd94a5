import type { ShowOptions } from '../actions/show.ts';
import { type Declare, examples } from '../command.ts';

export const declareShow: Declare = (parent, { run }) => {
  parent
    .command('show')
    .description('Show a job with its history, a batch, or why a message was rejected.')
    .argument('<ID>', 'a record id, a job key (its latest attempt), a batch, or a message id')
    .option('--request', 'print only the request to Earth Engine, as JSON')
    .option('--code', 'with --request: print its expression as code, with what a check finds in it')
    .addHelpText(
      'after',
      examples(
        'show las-vegas/2020',
        'show ve1-… --request > request.json',
        'show las-vegas/2020 --request --code',
      ),
    )
    .action((id: string, options: ShowOptions, command) =>
      run(command, async (cli) => (await import('../actions/show.ts')).show(cli, id, options)),
    );
};
