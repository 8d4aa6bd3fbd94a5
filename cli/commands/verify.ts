import type { VerifyOptions } from '../actions/verify.ts';
import { type Declare, examples } from '../command.ts';
import { deliveryOption } from '../options.ts';

export const declareVerify: Declare = (parent, { run }) => {
  parent
    .command('verify')
    .description(
      'Check again whether videos arrived and play, such as after the role to read a bucket was granted. The next poll does it.',
    )
    .argument('[ID...]', 'record ids, job keys, or batches')
    .option('--batch <ID>', 'all videos of this batch that are not verified')
    .addOption(deliveryOption())
    .addHelpText('after', examples('verify las-vegas/2020', 'verify --delivery unchecked'))
    .action((ids: string[], options: VerifyOptions, command) =>
      run(command, async (cli) => (await import('../actions/verify.ts')).verify(cli, ids, options)),
    );
};
