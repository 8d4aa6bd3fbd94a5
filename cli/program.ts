import { Command, CommanderError, Option } from 'commander';

import { asError } from '../shared/errors.ts';
import type { Cli } from './cli.ts';
import { CliError } from './cli-error.ts';
import { type CommandContext, type Declare, examples } from './command.ts';
import { declareBatch } from './commands/batch.ts';
import { declareBudget } from './commands/budget.ts';
import { declareCancel } from './commands/cancel.ts';
import { declareCheck } from './commands/check.ts';
import { declareDeadLetters } from './commands/dead-letters.ts';
import { declareDownload } from './commands/download.ts';
import { declareDoctor } from './commands/doctor.ts';
import { declareList } from './commands/list.ts';
import { declareOpen } from './commands/open.ts';
import { declareResume } from './commands/resume.ts';
import { declareRetry } from './commands/retry.ts';
import { declareShow } from './commands/show.ts';
import { declareSimulate } from './commands/simulate.ts';
import { declareStats } from './commands/stats.ts';
import { declareSubmit } from './commands/submit.ts';
import { declareVerify } from './commands/verify.ts';
import { declareWatch } from './commands/watch.ts';
import { declareCompletion } from './commands/completion.ts';
import { declareContext } from './commands/context.ts';
import type { Connections } from './connections.ts';
import { type ExitCode, exitCodeMeanings, exitCodes } from './exit-codes.ts';
import { type Format, formats } from './output.ts';
import { explain, type Problem } from './problem.ts';
import type { Service } from './service/service.ts';

/** What the process gives to the command line. */
export interface World extends Pick<
  Cli,
  'terminal' | 'clock' | 'environment' | 'interrupted' | 'readStdin' | 'confirm'
> {
  connect(service: () => Promise<Service>): Connections | Promise<Connections>;
}

interface CommonOptions {
  readonly project?: string;
  readonly context?: string;
  readonly json?: boolean;
  readonly format?: Format;
  readonly quiet?: boolean;
  readonly debug?: boolean;
}

/** Runs one command line. Never throws. @returns the exit code of the process */
export async function runCli(args: readonly string[], world: World): Promise<ExitCode> {
  let outcome: ExitCode = exitCodes.DONE;
  let options: CommonOptions = {};
  const isJson = asksForJson(args);
  const program = createProgram({ ...world, isJson }, async (command, action) => {
    options = command.optsWithGlobals<CommonOptions>();
    const format = formatOf(options, command);
    const service = serviceOnce(world, options);
    const connections = await world.connect(service);
    try {
      outcome = await action({
        ...world,
        ...connections,
        service,
        format,
        json: format === 'json',
        isQuiet: options.quiet === true,
      });
    } finally {
      await connections.close();
    }
  });
  try {
    await program.parseAsync(args, { from: 'user' });
    return outcome;
  } catch (thrown) {
    if (thrown instanceof CommanderError) {
      if (thrown.code === VERSION_ASKED) {
        await writeVersion(world, program.opts<CommonOptions>());
      }
      return thrown.exitCode === 0 ? exitCodes.DONE : exitCodes.WRONG_INPUT;
    }
    return writeProblem(world, options, isJson, thrown);
  }
}

/** Read before the arguments are parsed: mistakes in them are written as JSON too. */
function asksForJson(args: readonly string[]): boolean {
  const format = args.lastIndexOf('--format');
  return args.includes('--json') || args.includes('--format=json') || args[format + 1] === 'json';
}

/** The commands whose result is a table. */
const tables: ReadonlySet<string> = new Set([
  'list',
  'stats',
  'batch list',
  'dead-letters list',
  'context list',
]);

function formatOf({ json, format = 'table' }: CommonOptions, command: Command): Format {
  const parent = command.parent?.parent ? `${command.parent.name()} ` : '';
  const name = `${parent}${command.name()}`;
  if (format === 'csv' && !tables.has(name)) {
    throw new CliError('ARGUMENTS_WRONG', `${name} has no table to write as CSV. Use --format json.`, {
      exitCode: exitCodes.WRONG_INPUT,
    });
  }
  return json ? 'json' : format;
}

/** Chooses the service when it is first needed: some commands need none. */
function serviceOnce({ environment }: World, options: CommonOptions): () => Promise<Service> {
  let service: Promise<Service> | undefined;
  const choose = async () => {
    const [{ chooseService }, { readContexts }] = await Promise.all([
      import('./service/service.ts'),
      import('./service/contexts.ts'),
    ]);
    return chooseService(environment, options, () => readContexts(environment));
  };
  return () => (service ??= choose());
}

async function writeVersion(world: World, options: CommonOptions): Promise<void> {
  const { default: manifest } = await import('../package.json', { with: { type: 'json' } });
  const { describeService } = await import('./service/service.ts');
  const service = await serviceOnce(world, options)().then(
    describeService,
    (error: unknown) => explain(error).message,
  );
  world.terminal.out(`ee-video-exports ${manifest.version}`);
  world.terminal.out(`Service: ${service}`);
}

/** Writes the error and the service that it is about: the same words mean something else in another project. */
async function writeProblem(
  world: World,
  options: CommonOptions,
  isJson: boolean,
  thrown: unknown,
): Promise<ExitCode> {
  const { terminal } = world;
  const { code, message, exitCode }: Problem = explain(thrown);
  const service = await serviceOnce(world, options)().catch(() => undefined);
  if (isJson) {
    terminal.err(JSON.stringify({ error: { code, message, service: service?.name } }));
  } else {
    terminal.err(`ee-video-exports: ${message}`);
    // Without a service, the error itself says how to choose one.
    if (service?.chosenBy !== undefined) {
      terminal.err(`Service: ${service.name}`);
    }
  }
  if (options.debug) {
    terminal.err(stackOf(asError(thrown)));
  }
  return exitCode;
}

function stackOf(error: Error): string {
  const own = error.stack ?? error.message;
  return error.cause instanceof Error ? `${own}\ncaused by ${stackOf(error.cause)}` : own;
}

/** Every command, in the order of `--help`. */
const commands: readonly Declare[] = [
  declareSubmit,
  declareCheck,
  declareList,
  declareShow,
  declareOpen,
  declareDownload,
  declareVerify,
  declareWatch,
  declareStats,
  declareBatch,
  declareBudget,
  declareCancel,
  declareRetry,
  declareResume,
  declareDeadLetters,
  declareDoctor,
  declareContext,
  declareSimulate,
];

const VERSION_ASKED = 'ee-video-exports.version';

/** The command line as `--help` shows it; nothing that a command does is loaded yet. */
export function createProgram(
  world: Pick<World, 'terminal' | 'clock'> & { readonly isJson?: boolean },
  run: CommandContext['run'],
): Command {
  const program = completableProgram(world, run);
  // The library that completes adds a command of the same name to the program that it reads.
  declareCompletion(program, { run, completable: () => completableProgram(world, run) });
  return program;
}

function completableProgram(
  { terminal, clock, isJson = false }: Pick<World, 'terminal' | 'clock'> & { readonly isJson?: boolean },
  run: CommandContext['run'],
): Command {
  const program = new Command('ee-video-exports')
    .description('Export videos from Earth Engine, exactly once each, and track their progress.')
    .usage('COMMAND [options]')
    .option('--context <NAME>', 'the service to use for this command (see context --help)')
    .option('--project <ID>', 'the same by its Google Cloud project')
    .option('--json', 'print results as JSON')
    .addOption(
      new Option('--format <FORMAT>', 'table, json (the same as --json), or csv for lists').choices(formats),
    )
    .option('-q, --quiet', 'print only ids, and no hints')
    .option('--debug', 'print the stack of an error')
    .option('-V, --version', 'print the version and the service in use')
    .on('option:version', () => {
      throw new CommanderError(exitCodes.DONE, VERSION_ASKED, '');
    })
    .configureHelp({ showGlobalOptions: true, helpWidth: Math.min(terminal.columns, 80) })
    .configureOutput({
      writeOut: (text) => terminal.out(text.trimEnd()),
      writeErr: (text) => terminal.err(text.trimEnd()),
      outputError: (text, write) => write(usageError(text, isJson)),
    })
    .showHelpAfterError(isJson ? false : '(--help lists the options)')
    .exitOverride()
    .helpCommand('help [COMMAND]', 'print the help of a command')
    .addHelpText('after', notes());
  for (const declare of commands) {
    declare(program, { clock, run });
  }
  return program;
}

/** @param text of Commander: `error: …`, and perhaps a suggestion on a second line */
function usageError(text: string, isJson: boolean): string {
  const message = text.replace(/^error: /, '');
  return isJson
    ? JSON.stringify({ error: { code: 'ARGUMENTS_WRONG', message: message.trim().replaceAll('\n', ' ') } })
    : `ee-video-exports: ${message}`;
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

The service is the one of --context or --project, of the environment
(GOOGLE_CLOUD_PROJECT, ..._EMULATOR_HOST), or of the context in use, in this
order. For a service on Google Cloud, the command line uses application default
credentials.`;
