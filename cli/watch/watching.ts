import type { Cli } from '../cli.ts';
import { type ExitCode, exitCodes } from '../exit-codes.ts';
import { CliError } from '../cli-error.ts';
import { explain } from '../problem.ts';

/** What is followed: looked at again and again, until it has ended. */
export interface Watching<Look> {
  look(): Promise<Look>;
  /** Whether all went well, once nothing more can happen. */
  endOf(look: Look): 'SUCCEEDED' | 'FAILED' | undefined;
  /** Shows what is new; `isLast` where it is the end. */
  show(look: Look, isLast: boolean): void;
  /** The command that goes on watching. */
  readonly resumeCommand: string;
}

/** Looks until the end, or until Ctrl-C, which ends the watching alone: the jobs do not depend on it. */
export async function watchUntilEnd<Look>(
  cli: Cli,
  watching: Watching<Look>,
  everyMs: number,
): Promise<ExitCode> {
  const { terminal, clock, interrupted } = cli;
  let hasLooked = false;
  let isTroubled = false;
  try {
    for (;;) {
      const look = await unlessInterrupted(interrupted, watching.look()).catch((error: unknown) => {
        // Somebody may watch for days: a failure on the way is only said.
        if (interrupted.aborted || !hasLooked || error instanceof CliError) {
          throw error;
        }
        if (!isTroubled) {
          terminal.err(`ee-video-exports: ${explain(error).message} Trying again …`);
        }
        isTroubled = true;
        return undefined;
      });
      if (look !== undefined) {
        hasLooked = true;
        isTroubled = false;
        const end = watching.endOf(look);
        watching.show(look, end !== undefined);
        if (end) {
          return end === 'SUCCEEDED' ? exitCodes.DONE : exitCodes.ENDED_BADLY;
        }
      }
      await clock.sleep(everyMs, interrupted);
    }
  } catch (error) {
    if (!interrupted.aborted) {
      throw error;
    }
    terminal.err(`\nThe jobs go on without you. To come back:\n  ${watching.resumeCommand}`);
    return exitCodes.INTERRUPTED;
  }
}

function unlessInterrupted<T>(interrupted: AbortSignal, work: Promise<T>): Promise<T> {
  return new Promise((resolve, reject) => {
    const stop = () => reject(interrupted.reason as Error);
    if (interrupted.aborted) {
      stop();
    } else {
      interrupted.addEventListener('abort', stop, { once: true });
    }
    work.then(resolve, reject).finally(() => interrupted.removeEventListener('abort', stop));
  });
}
