import type { ProbeOptions } from '../actions/probe.ts';
import { type Declare, examples } from '../command.ts';

export const declareDoctor: Declare = (parent, { run }) => {
  parent
    .command('doctor')
    .description('Check what the command line and the service need, and print what to do about problems.')
    .option('--probe <PROJECT>', 'check how Earth Engine behaves in this Earth Engine project')
    .option('--bucket <NAME>', 'with --probe: the bucket that the export names')
    .addHelpText(
      'after',
      `
--probe starts one tiny export, cancels it at once, and prints a report that an
issue can quote. docs/earth-engine.md explains its lines.
`,
    )
    .addHelpText(
      'after',
      examples('doctor', 'doctor --project my-project --json', 'doctor --probe my-ee-project'),
    )
    .action((options: Partial<ProbeOptions>, command) =>
      run(command, async (cli) =>
        options.probe === undefined
          ? (await import('../actions/doctor.ts')).doctor(cli)
          : (await import('../actions/probe.ts')).probeEarthEngine(cli, { ...options, probe: options.probe }),
      ),
    );
};
