import { type Cli } from '../cli.ts';
import type { ExitCode } from '../exit-codes.ts';
import { CliError, wrongInput } from '../cli-error.ts';
import { printable } from '../text.ts';
import { batchGroup, everything, watchingGroup } from '../watch/group.ts';
import { type WatchedJob, watchingJobs } from '../watch/jobs.ts';
import { watchUntilEnd } from '../watch/watching.ts';
import { findRecord } from './show.ts';

export interface WatchOptions {
  readonly batch?: string;
  /** Seconds. */
  readonly every: number;
}

export async function watch(
  cli: Cli,
  ids: readonly string[],
  { batch, every }: WatchOptions,
): Promise<ExitCode> {
  if (batch !== undefined && ids.length > 0) {
    throw wrongInput('ARGUMENTS_WRONG', 'Give ids or --batch, not both.');
  }
  if (ids.length === 0) {
    return watchUntilEnd(
      cli,
      watchingGroup(cli, batch === undefined ? everything : batchGroup(batch)),
      every * 1000,
    );
  }
  const jobs: WatchedJob[] = [];
  for (const id of ids) {
    const record = await findRecord(cli, id);
    if (!record) {
      throw new CliError(
        'NOT_FOUND',
        `There is no record or job key ${printable(id)}; list shows what there is.`,
      );
    }
    jobs.push({ recordId: record.id });
  }
  return watchJobs(cli, jobs, every);
}

export function watchJobs(cli: Cli, jobs: readonly WatchedJob[], every: number): Promise<ExitCode> {
  return watchUntilEnd(cli, watchingJobs(cli, jobs), every * 1000);
}
