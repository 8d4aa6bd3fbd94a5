import { CliError } from '../cli-error.ts';
import type { Cli } from '../cli.ts';
import { type ExitCode, exitCodes } from '../exit-codes.ts';
import { explain } from '../problem.ts';

export interface View<Status> {
  /** Shows what has changed. */
  show(status: Status, isLast: boolean): void;
  /** Shows that reading fails; undefined when it works again. */
  notice(text: string | undefined): void;
}

/** Only the exit code tells how it ended. */
export const silentView: View<unknown> = { show: () => {}, notice: () => {} };

/** Problems as lines of their own, which nothing draws over. */
export const linesView = <Status>({ terminal }: Cli, show: View<Status>['show']): View<Status> => ({
  show,
  notice: (text) => {
    if (text !== undefined) {
      terminal.err(text);
    }
  },
});

/** Something to follow until it has ended. */
export interface Watching<Status> {
  read(): Promise<Status>;
  /** The outcome, once nothing more can happen. */
  endOf(status: Status): 'SUCCEEDED' | 'FAILED' | undefined;
  readonly view: View<Status>;
  /** The command that continues to watch. */
  readonly resumeCommand: string;
}

/** Watches until the end, or until Ctrl-C, which ends only the watching: the jobs do not depend on it. */
export async function watchUntilEnd<Status>(
  cli: Cli,
  watching: Watching<Status>,
  everySeconds: number,
): Promise<ExitCode> {
  const { terminal, clock, interrupted } = cli;
  let hasRead = false;
  let isFailing = false;
  try {
    for (;;) {
      const status = await unlessInterrupted(interrupted, watching.read()).catch((error: unknown) => {
        // Watching may take days: once it has worked, it retries after a failure.
        if (interrupted.aborted || !hasRead || error instanceof CliError) {
          throw error;
        }
        if (!isFailing) {
          watching.view.notice(`Retrying: ${explain(error).message}`);
        }
        isFailing = true;
        return undefined;
      });
      if (status !== undefined) {
        hasRead = true;
        if (isFailing) {
          watching.view.notice(undefined);
        }
        isFailing = false;
        const end = watching.endOf(status);
        watching.view.show(status, end !== undefined);
        if (end) {
          return end === 'SUCCEEDED' ? exitCodes.DONE : exitCodes.UNSUCCESSFUL;
        }
      }
      await clock.sleep(everySeconds * 1000, interrupted);
    }
  } catch (error) {
    if (!interrupted.aborted) {
      throw error;
    }
    terminal.err(`\nThe jobs keep running. To continue watching:\n  ${watching.resumeCommand}`);
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
