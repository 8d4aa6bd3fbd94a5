import { systemClock } from '../shared/clock.ts';
import { exitCodes } from './exit-codes.ts';
import { explain } from './problem.ts';
import { runCli } from './program.ts';
import type { Service } from './service/service.ts';
import { createTerminal } from './terminal.ts';

/** Runs the command line in this process: with its streams, environment and signals. @returns the exit code */
export async function main(args: readonly string[]): Promise<number> {
  const { stdin, stdout, stderr, env } = process;
  // The reader of a pipe may stop early (`… list | head`), which is not an error.
  stdout.on('error', (error: NodeJS.ErrnoException) => {
    if (error.code !== 'EPIPE') {
      throw error;
    }
    process.exit(exitCodes.DONE);
  });
  // A library may throw in the background: the user gets the same kind of message for that.
  process.on('unhandledRejection', (thrown) => {
    stderr.write(`ee-video-exports: ${explain(thrown).message}\n`);
    process.exit(exitCodes.FAILED);
  });
  // Google's library warns when it finds no credentials, which the command line reports itself.
  process.removeAllListeners('warning');
  process.on('warning', ({ name, message }) => {
    if (name !== 'MetadataLookupWarning') {
      stderr.write(`${name}: ${message}\n`);
    }
  });
  const interrupt = new AbortController();
  const onInterrupt = () => interrupt.abort(new DOMException('Ctrl-C', 'AbortError'));
  // Only once, so that a second Ctrl-C ends the process.
  process.once('SIGINT', onInterrupt);
  process.once('SIGTERM', onInterrupt);
  return runCli(args, {
    terminal: createTerminal(stdout, stderr, env),
    clock: systemClock,
    // A copy, because `letClientsFind` changes the original.
    environment: { ...env },
    interrupted: interrupt.signal,
    confirm: stdin.isTTY && stderr.isTTY ? (question) => confirm(question, interrupt.signal) : undefined,
    // Loaded when they are needed, like the clients that they load: --help must be fast.
    readStdin: async () => (await import('node:stream/consumers')).buffer(stdin),
    async connect(service) {
      const { createConnections } = await import('./connections.ts');
      const found = async () => {
        const chosen = await service();
        letClientsFind(chosen, env);
        return chosen;
      };
      return createConnections(found, systemClock, interrupt.signal);
    },
  });
}

/** Google's clients read these variables themselves: without them they look for credentials, even for an emulator. */
function letClientsFind({ environment }: Service, own: NodeJS.ProcessEnv): void {
  for (const name of ['FIRESTORE_EMULATOR_HOST', 'PUBSUB_EMULATOR_HOST', 'METADATA_SERVER_DETECTION']) {
    const value = environment[name];
    if (value === undefined) {
      delete own[name];
    } else {
      own[name] = value;
    }
  }
}

/** Only y or yes agrees. */
async function confirm(question: string, signal: AbortSignal): Promise<boolean> {
  const { createInterface } = await import('node:readline/promises');
  const lines = createInterface({ input: process.stdin, output: process.stderr });
  try {
    return /^y(?:es)?$/i.test((await lines.question(`${question} [y/N] `, { signal })).trim());
  } finally {
    lines.close();
  }
}
