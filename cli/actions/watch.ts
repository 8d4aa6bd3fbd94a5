import { CliError, wrongInput } from '../cli-error.ts';
import type { Cli } from '../cli.ts';
import type { ExitCode } from '../exit-codes.ts';
import { findRecord } from '../records.ts';
import { printable } from '../text.ts';
import { batchGroup, everything, watchingGroup } from '../watch/group.ts';
import { type WatchedJob, watchingJobs } from '../watch/jobs.ts';
import { watchUntilEnd } from '../watch/watching.ts';

export interface WatchOptions {
  readonly batch?: string;
  /** In seconds. */
  readonly every: number;
}

export async function watch(
  cli: Cli,
  ids: readonly string[],
  { batch, every }: WatchOptions,
): Promise<ExitCode> {
  if (batch !== undefined && ids.length > 0) {
    throw wrongInput('ARGUMENTS_WRONG', 'Give either ids or --batch, not both.');
  }
  if (ids.length === 0) {
    const group = batch === undefined ? everything : batchGroup(batch);
    return watchUntilEnd(cli, watchingGroup(cli, group), every);
  }
  const jobs: WatchedJob[] = [];
  for (const id of ids) {
    const record = await findRecord(cli, id);
    if (!record) {
      throw new CliError(
        'NOT_FOUND',
        `There is no record or job key ${printable(id)}. To see what exists, run list.`,
      );
    }
    jobs.push({ recordId: record.id });
  }
  return watchUntilEnd(cli, watchingJobs(cli, jobs), every);
}
