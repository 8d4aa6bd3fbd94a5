import { Command, CommanderError, Option } from 'commander';

import { asError } from '../shared/errors.ts';
import { type Cli } from './cli.ts';
import type { Connections, Environment } from './connections.ts';
import { type ExitCode, exitCodeMeanings, exitCodes } from './exit-codes.ts';
import { parseGrouping, parseLabel, parseSeconds, parseSince, parseStates, parseWhole } from './options.ts';
import { explain } from './problem.ts';

/** What the process gives to the command line. */
export interface World extends Pick<Cli, 'terminal' | 'clock' | 'environment' | 'interrupted' | 'readStdin'> {
  connect(environment: Environment): Connections | Promise<Connections>;
}

interface CommonOptions {
  readonly project?: string;
  readonly json?: boolean;
  readonly debug?: boolean;
}

/** Runs one command line, and says what the process is to end with. Throws nothing. */
export async function runCli(args: readonly string[], world: World): Promise<ExitCode> {
  const { terminal } = world;
  let outcome: ExitCode = exitCodes.DONE;
  let options: CommonOptions = {};
  const program = createProgram(world, async (command, work) => {
    options = command.optsWithGlobals<CommonOptions>();
    const environment = options.project
      ? { ...world.environment, GOOGLE_CLOUD_PROJECT: options.project }
      : world.environment;
    const connections = await world.connect(environment);
    try {
      outcome = await work({ ...world, ...connections, environment, json: options.json === true });
    } finally {
      await connections.close();
    }
  });
  try {
    await program.parseAsync(args, { from: 'user' });
    return outcome;
  } catch (thrown) {
    if (thrown instanceof CommanderError) {
      return thrown.exitCode === 0 ? exitCodes.DONE : exitCodes.WRONG_INPUT;
    }
    const { code, message, exitCode } = explain(thrown);
    terminal.err(
      options.json ? JSON.stringify({ error: { code, message } }) : `ee-video-exports: ${message}`,
    );
    if (options.debug) {
      terminal.err(stackOf(asError(thrown)));
    }
    return exitCode;
  }
}

function stackOf(error: Error): string {
  const own = error.stack ?? error.message;
  return error.cause instanceof Error ? `${own}\ncaused by ${stackOf(error.cause)}` : own;
}

type Work = (cli: Cli) => Promise<ExitCode>;
type Run = (command: Command, work: Work) => Promise<void>;

const examples = (...lines: readonly string[]) =>
  `\nExamples:\n${lines.map((line) => `  $ ee-video-exports ${line}`).join('\n')}`;

/** Every command with its options: what `--help` shows. What a command does is loaded when it is called. */
export function createProgram({ terminal, clock }: Pick<World, 'terminal' | 'clock'>, run: Run): Command {
  const since = (text: string) => parseSince(text, clock.now());
  const program = new Command('ee-video-exports')
    .description('Export videos from Earth Engine, once each, and see how they fare.')
    .usage('COMMAND [options]')
    .option('--project <ID>', "the service's Google Cloud project (default: GOOGLE_CLOUD_PROJECT)")
    .option('--json', 'results as JSON, one value on a line')
    .option('--debug', 'show the stack of an error')
    .configureHelp({ showGlobalOptions: true, helpWidth: Math.min(terminal.columns, 80) })
    .configureOutput({
      writeOut: (text) => terminal.out(text.trimEnd()),
      writeErr: (text) => terminal.err(text.trimEnd()),
      outputError: (text, write) => write(text.replace(/^error: /, 'ee-video-exports: ')),
    })
    .showHelpAfterError('(--help shows the options)')
    .exitOverride()
    .helpCommand(false)
    .addHelpText(
      'after',
      `${examples(
        'submit job.json --watch',
        'list --state failed,lost --since 7d',
        'show las-vegas/2020',
        'doctor',
      )}

Exit codes:
${Object.entries(exitCodeMeanings)
  .map(([code, meaning]) => `  ${code.padStart(3)}  ${meaning}`)
  .join('\n')}

It uses application default credentials, or the emulators that
FIRESTORE_EMULATOR_HOST and PUBSUB_EMULATOR_HOST name.`,
    );

  const stateOption = new Option('--state <STATES>', 'only these states, with commas between them').argParser(
    parseStates,
  );
  const labelOption = new Option('--label <NAME=VALUE>', 'only jobs with this label').argParser(parseLabel);
  const sinceOption = () =>
    new Option('--since <WHEN>', 'created since: 90m, 12h, 7d, 2w or a date').argParser(since);
  const everyOption = () =>
    new Option('--every <SECONDS>', 'how often to look').argParser(parseSeconds).default(2);

  program
    .command('submit')
    .description(
      'Check job messages as the service does, and publish them. A job that is there already stays as it is: --watch says so.',
    )
    .argument('<FILE...>', 'files with a job message each; - is standard input')
    .option('--dry-run', 'publish nothing: print the record id and what Earth Engine would be sent')
    .option('--watch', 'follow the jobs until they end')
    .addOption(everyOption())
    .addHelpText(
      'after',
      examples('submit job.json --watch', 'submit jobs/*.json', 'submit - --dry-run < job.json'),
    )
    .action(
      (files: string[], options: { dryRun?: boolean; watch?: boolean; every: number }, command: Command) =>
        run(command, async (cli) => (await import('./commands/submit.ts')).submit(cli, files, options)),
    );

  program
    .command('list')
    .description('List records, newest first.')
    .addOption(stateOption)
    .option('--batch <ID>', 'only jobs of this batch')
    .addOption(labelOption)
    .addOption(sinceOption())
    .addOption(new Option('--limit <N>', 'at most so many').argParser(parseWhole(1000)).default(20))
    .option('--page <TOKEN>', 'go on where an earlier list ended, which printed this')
    .addHelpText(
      'after',
      examples(
        'list --state running,pending',
        'list --label team=water --since 30d',
        'list --batch weekly@2026-11-23 --json',
      ),
    )
    .action((options, command: Command) =>
      run(command, async (cli) => (await import('./commands/list.ts')).list(cli, options)),
    );

  program
    .command('show')
    .description('Show one record with its history, or why a message was rejected.')
    .argument('<ID>', 'a record id, a job key (its latest attempt) or a message id')
    .option('--request', 'print what Earth Engine is sent, as JSON, and nothing else')
    .addHelpText('after', examples('show las-vegas/2020', 'show ve1-… --request > request.json'))
    .action((id: string, options: { request?: boolean }, command: Command) =>
      run(command, async (cli) => (await import('./commands/show.ts')).show(cli, id, options)),
    );

  program
    .command('watch')
    .description(
      'Follow jobs until they end: bars on a terminal, lines in a pipe. Ctrl-C leaves the jobs running.',
    )
    .argument('[ID...]', 'record ids or job keys; none: everything that has not ended, as counts')
    .option('--batch <ID>', 'the jobs of this batch, as counts')
    .addOption(everyOption())
    .addHelpText('after', examples('watch las-vegas/2020', 'watch --batch weekly@2026-11-23'))
    .action((ids: string[], options: { batch?: string; every: number }, command: Command) =>
      run(command, async (cli) => (await import('./commands/watch.ts')).watch(cli, ids, options)),
    );

  program
    .command('stats')
    .description('Count records by state, and add up what they cost.')
    .option('--batch <ID>', 'only jobs of this batch')
    .addOption(labelOption)
    .addOption(sinceOption())
    .option('--by <GROUP>', 'EECU-hours by batch, month or label:NAME (reads the records)', parseGrouping)
    .addHelpText('after', examples('stats', 'stats --by month --since 90d', 'stats --by label:team'))
    .action((options, command: Command) =>
      run(command, async (cli) => (await import('./commands/stats.ts')).stats(cli, options)),
    );

  const batch = program.command('batch').description('Run many jobs from one manifest.').helpCommand(false);
  const runOption = () =>
    new Option('--run <NAME>', "which run this is, where the manifest does not say (default: today's date)");
  batch
    .command('plan')
    .description('Say what running a manifest would come to; publish nothing.')
    .argument('<MANIFEST>', 'a file; - is standard input')
    .addOption(runOption())
    .addHelpText('after', examples('batch plan weekly.json', 'batch plan weekly.json --run 2026-11-23'))
    .action((file: string, options: { run?: string }, command: Command) =>
      run(command, async (cli) => (await import('./commands/batch.ts')).planBatch(cli, file, options)),
    );
  batch
    .command('run')
    .description('Check a manifest and publish it.')
    .argument('<MANIFEST>', 'a file; - is standard input')
    .addOption(runOption())
    .option('--watch', 'follow the batch until it ends')
    .addOption(everyOption())
    .addHelpText('after', examples('batch run weekly.json --watch'))
    .action((file: string, options: { run?: string; watch?: boolean; every: number }, command: Command) =>
      run(command, async (cli) => (await import('./commands/batch.ts')).runBatch(cli, file, options)),
    );

  program
    .command('cancel')
    .description('Cancel jobs. What Earth Engine already renders may still succeed.')
    .argument('[ID...]', 'record ids')
    .option('--job-key <KEY>', 'all attempts at this job')
    .option('--batch <ID>', 'all jobs of this batch; one that is being expanded stops')
    .option('--ahead', 'also where nothing has come yet: the job is not sent when it does')
    .addHelpText('after', examples('cancel --job-key las-vegas/2020', 'cancel --batch weekly@2026-11-23'))
    .action(
      (ids: string[], options: { jobKey?: string; batch?: string; ahead?: boolean }, command: Command) =>
        run(command, async (cli) => (await import('./commands/cancel.ts')).cancel(cli, ids, options)),
    );

  program
    .command('retry')
    .description('Run jobs again that failed, were rejected, lost or cancelled, as their next attempt.')
    .argument('[ID...]', 'record ids or job keys')
    .option('--batch <ID>', 'of this batch')
    .addOption(new Option('--label <NAME=VALUE>', 'with this label').argParser(parseLabel))
    .option('--force', 'also those that would most likely end alike, such as out of memory')
    .option('--dry-run', 'only say which')
    .addHelpText('after', examples('retry las-vegas/2020', 'retry --batch weekly@2026-11-23 --dry-run'))
    .action((ids: string[], options, command: Command) =>
      run(command, async (cli) => (await import('./commands/retry.ts')).retry(cli, ids, options)),
    );

  const deadLetters = program
    .command('dead-letters')
    .description('Messages that never became a job.')
    .helpCommand(false);
  const reasonOption = new Option('--reason <REASON...>', 'only these reasons, such as DEAD_LETTER');
  deadLetters
    .command('list')
    .description('List them with their reasons, newest first.')
    .addOption(reasonOption)
    .addOption(sinceOption())
    .addOption(new Option('--limit <N>', 'at most so many').argParser(parseWhole(1000)).default(20))
    .addHelpText('after', examples('dead-letters list --since 7d'))
    .action((options, command: Command) =>
      run(command, async (cli) => (await import('./commands/dead-letters.ts')).listDeadLetters(cli, options)),
    );
  deadLetters
    .command('replay')
    .description('Publish them again where they came from. A job that ran meanwhile does not run twice.')
    .argument('[MESSAGE_ID...]', 'only these; none: all that no function could handle (DEAD_LETTER)')
    .addOption(reasonOption)
    .option('--dry-run', 'only say which')
    .addHelpText(
      'after',
      examples('dead-letters replay --dry-run', 'dead-letters replay --reason INVALID_JOB'),
    )
    .action((ids: string[], options, command: Command) =>
      run(command, async (cli) => (await import('./commands/dead-letters.ts')).replay(cli, ids, options)),
    );

  program
    .command('doctor')
    .description('Check what the command line and the service need, and say what to do.')
    .addHelpText('after', examples('doctor', 'doctor --project my-project --json'))
    .action((_options, command: Command) =>
      run(command, async (cli) => (await import('./commands/doctor.ts')).doctor(cli)),
    );

  return program;
}
