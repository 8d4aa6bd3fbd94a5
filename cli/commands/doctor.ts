import { type Declare, examples } from '../command.ts';

export const declareDoctor: Declare = (parent, { run }) => {
  parent
    .command('doctor')
    .description('Check what the command line and the service need, and print what to do about problems.')
    .addHelpText('after', examples('doctor', 'doctor --project my-project --json'))
    .action((_options, command) =>
      run(command, async (cli) => (await import('../actions/doctor.ts')).doctor(cli)),
    );
};
