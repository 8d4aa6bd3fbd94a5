import { Command, CommanderError } from 'commander';

import { asError } from '../shared/errors.ts';
import type { Cli } from './cli.ts';
import { type CommandContext, type Declare, examples } from './command.ts';
import { declareBatch } from './commands/batch.ts';
import { declareCancel } from './commands/cancel.ts';
import { declareDeadLetters } from './commands/dead-letters.ts';
import { declareDoctor } from './commands/doctor.ts';
import { declareList } from './commands/list.ts';
import { declareRetry } from './commands/retry.ts';
import { declareShow } from './commands/show.ts';
import { declareStats } from './commands/stats.ts';
import { declareSubmit } from './commands/submit.ts';
import { declareWatch } from './commands/watch.ts';
import type { Connections, Environment } from './connections.ts';
import { type ExitCode, exitCodeMeanings, exitCodes } from './exit-codes.ts';
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

/** Runs one command line. Never throws. @returns the exit code of the process */
export async function runCli(args: readonly string[], world: World): Promise<ExitCode> {
  const { terminal } = world;
  let outcome: ExitCode = exitCodes.DONE;
  let options: CommonOptions = {};
  const program = createProgram(world, async (command, action) => {
    options = command.optsWithGlobals<CommonOptions>();
    const environment = options.project
      ? { ...world.environment, GOOGLE_CLOUD_PROJECT: options.project }
      : world.environment;
    const connections = await world.connect(environment);
    try {
      outcome = await action({ ...world, ...connections, environment, json: options.json === true });
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

/** Every command, in the order of `--help`. */
const commands: readonly Declare[] = [
  declareSubmit,
  declareList,
  declareShow,
  declareWatch,
  declareStats,
  declareBatch,
  declareCancel,
  declareRetry,
  declareDeadLetters,
  declareDoctor,
];

/** The command line as `--help` shows it; nothing that a command does is loaded yet. */
export function createProgram(
  { terminal, clock }: Pick<World, 'terminal' | 'clock'>,
  run: CommandContext['run'],
): Command {
  const program = new Command('ee-video-exports')
    .description('Export videos from Earth Engine, exactly once each, and track their progress.')
    .usage('COMMAND [options]')
    .option('--project <ID>', "the service's Google Cloud project (default: GOOGLE_CLOUD_PROJECT)")
    .option('--json', 'print results as JSON, one value per line')
    .option('--debug', 'print the stack of an error')
    .configureHelp({ showGlobalOptions: true, helpWidth: Math.min(terminal.columns, 80) })
    .configureOutput({
      writeOut: (text) => terminal.out(text.trimEnd()),
      writeErr: (text) => terminal.err(text.trimEnd()),
      outputError: (text, write) => write(text.replace(/^error: /, 'ee-video-exports: ')),
    })
    .showHelpAfterError('(--help lists the options)')
    .exitOverride()
    .helpCommand(false)
    .addHelpText('after', notes());
  for (const declare of commands) {
    declare(program, { clock, run });
  }
  return program;
}

const notes = (): string => `${examples(
  'submit job.json --watch',
  'list --state failed,lost --since 7d',
  'show las-vegas/2020',
  'doctor',
)}

Exit codes:
${Object.entries(exitCodeMeanings)
  .map(([code, meaning]) => `  ${code.padStart(3)}  ${meaning}`)
  .join('\n')}

The command line uses application default credentials, or the emulators that
FIRESTORE_EMULATOR_HOST and PUBSUB_EMULATOR_HOST name.`;
