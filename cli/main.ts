import { systemClock } from '../shared/clock.ts';
import { exitCodes } from './exit-codes.ts';
import { explain } from './problem.ts';
import { runCli } from './program.ts';
import { createTerminal } from './terminal.ts';

/** The command line against this process: its streams, its environment, its signals. */
export async function main(args: readonly string[]): Promise<number> {
  const { stdin, stdout, stderr, env } = process;
  // The reader of a pipe may leave early (`… list | head`): that is no failure of ours.
  stdout.on('error', (error: NodeJS.ErrnoException) => {
    if (error.code !== 'EPIPE') {
      throw error;
    }
    process.exit(exitCodes.DONE);
  });
  // A library may throw where nobody waits for it: that, too, is one sentence.
  process.on('unhandledRejection', (thrown) => {
    stderr.write(`ee-video-exports: ${explain(thrown).message}\n`);
    process.exit(exitCodes.FAILED);
  });
  // Google's library warns of a search for credentials that found none, which is told in a sentence of our own.
  process.removeAllListeners('warning');
  process.on('warning', ({ name, message }) => {
    if (name !== 'MetadataLookupWarning') {
      stderr.write(`${name}: ${message}\n`);
    }
  });
  const interrupt = new AbortController();
  const onInterrupt = () => interrupt.abort(new DOMException('Ctrl-C', 'AbortError'));
  // Once: a second Ctrl-C ends the process whatever it does.
  process.once('SIGINT', onInterrupt);
  process.once('SIGTERM', onInterrupt);
  return runCli(args, {
    terminal: createTerminal(stdout, stderr, env),
    clock: systemClock,
    environment: env,
    interrupted: interrupt.signal,
    // Loaded when they are needed, as the clients behind them are: --help is to be quick.
    readStdin: async () => (await import('node:stream/consumers')).buffer(stdin),
    async connect(environment) {
      const { createConnections } = await import('./connections.ts');
      return createConnections(environment, systemClock, interrupt.signal);
    },
  });
}
