import { wrongInput } from '../cli-error.ts';
import type { Cli } from '../cli.ts';
import type { ExitCode } from '../exit-codes.ts';
import { isBatch, notFound, recordOf, requireTarget, type Target } from '../targets.ts';
import { batchGroup, everything, watchingGroup } from '../watch/group.ts';
import { watchingJobs } from '../watch/jobs.ts';
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
  if (batch !== undefined && !(await isBatch(cli, batch))) {
    throw await notFound(cli, batch, 'no batch');
  }
  if (ids.length === 0) {
    const group = batch === undefined ? everything : batchGroup(batch);
    return watchUntilEnd(cli, watchingGroup(cli, group), every);
  }
  const targets: Target[] = [];
  for (const id of ids) {
    targets.push(await requireTarget(cli, id));
  }
  const [first, ...others] = targets.filter(({ kind }) => kind === 'BATCH');
  if (first && targets.length === 1) {
    return watchUntilEnd(cli, watchingGroup(cli, batchGroup(first.id)), every);
  }
  if (first) {
    const named = [first, ...others].map(({ id }) => id).join(' and ');
    throw wrongInput('ARGUMENTS_WRONG', `Watch ${named} alone: a batch is shown as counts.`);
  }
  const jobs = targets.flatMap((target) => {
    const record = recordOf(target);
    return record ? [{ recordId: record.id }] : [];
  });
  return watchUntilEnd(cli, watchingJobs(cli, jobs), every);
}
