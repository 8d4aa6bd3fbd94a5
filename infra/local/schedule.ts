import { readFile } from 'node:fs/promises';

import { Cron } from 'croner';

import { asError } from '../../shared/errors.ts';
import { LocalError } from './local-error.ts';

/** Publishes a manifest at the times of a cron expression, as Cloud Scheduler does in the cloud. */
export interface Schedule {
  /** Five fields, as for Cloud Scheduler, in UTC; with six fields, the first is seconds. */
  readonly cron: string;
  /** The manifest's file. It is read each time, so that it can be edited between runs. */
  readonly manifestPath: string;
  /** Publishes to the batch topic. */
  readonly publish: (manifest: string) => Promise<unknown>;
  /** Ends the schedule. */
  readonly signal: AbortSignal;
  /** Receives errors of reading or publishing; the schedule continues. */
  readonly onProblem: (problem: Error) => void;
}

/**
 * Publishes until the signal is aborted. If one publication is still in progress at the time of the next, the next one is
 * skipped.
 *
 * @returns the time of the first publication
 * @throws LocalError CRON_INVALID
 */
export function publishOnSchedule({
  cron,
  manifestPath,
  publish,
  signal,
  onProblem,
}: Schedule): Date | undefined {
  let job: Cron;
  try {
    job = new Cron(
      cron,
      { timezone: 'UTC', protect: true, catch: (thrown: unknown) => onProblem(asError(thrown)) },
      async () => {
        await publish(await readFile(manifestPath, 'utf8'));
      },
    );
  } catch (error) {
    const hint = 'minute, hour, day of the month, month, day of the week, such as "0 6 * * 1"';
    throw new LocalError(
      'CRON_INVALID',
      `"${cron}" is not a cron expression (${hint}): ${asError(error).message}`,
      {
        cause: error,
      },
    );
  }
  const stop = () => job.stop();
  signal.addEventListener('abort', stop, { once: true });
  if (signal.aborted) {
    stop();
  }
  return job.nextRun() ?? undefined;
}
