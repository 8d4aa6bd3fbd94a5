import {
  type NotRetriedReason,
  type RetryResult,
  retryJobs,
  type RetrySelection,
} from '../../shared/retry/retry.ts';
import { isReadable } from '../../shared/store/store.ts';
import { CliError, wrongInput } from '../cli-error.ts';
import type { Cli } from '../cli.ts';
import { writeJson } from '../output.ts';
import { type ExitCode, exitCodes } from '../exit-codes.ts';
import type { Label } from '../options.ts';
import { isBatch, notFound, requireTarget, type Target } from '../targets.ts';
import { plural, printable } from '../text.ts';
import type { Watching } from '../watch/watching.ts';

export interface RetryOptions {
  readonly batch?: string;
  readonly label?: Label;
  readonly undelivered?: boolean;
  readonly force?: boolean;
  readonly dryRun?: boolean;
  readonly watch?: boolean;
  /** In seconds. */
  readonly every: number;
}

/** Why a number of jobs are not retried, as in `2 have not ended`. */
const reasons: Readonly<Record<NotRetriedReason, string>> = {
  SUCCEEDED: 'succeeded',
  NOT_ENDED: 'have not ended',
  LATER_ATTEMPT: 'have a later attempt',
  NOT_RETRYABLE: 'would most likely fail the same way (--force retries them anyway)',
  NO_REQUEST: 'were canceled before their message arrived: submit them',
  NO_ROOM: 'cannot have another attempt',
  BATCH_CANCELLING: 'belong to a batch that is still being canceled: wait until it has ended',
  UNREADABLE: 'have a record that cannot be read: fix or delete it manually',
  REQUEST_DAMAGED: 'have a damaged request: submit them again with a higher attempt',
};

export async function retry(cli: Cli, ids: readonly string[], options: RetryOptions): Promise<ExitCode> {
  const { force = false, undelivered = false, dryRun = false, watch = false, every } = options;
  const selections = await selectionsOf(cli, ids, options);
  const services = await cli.services();
  const results: RetryResult[] = [];
  for (const selection of selections) {
    results.push(await retryJobs(services, selection, { force, undelivered, dryRun }));
  }
  const result = merged(results);
  if (cli.json) {
    writeJson(cli, { dryRun, ...result });
  } else {
    await writeResult(cli, result, dryRun);
  }
  if (result.damaged.length > 0) {
    throw new CliError('REQUEST_DAMAGED', `${result.damaged.join(', ')} cannot be retried: it is damaged.`);
  }
  if (!watch || dryRun || result.started === 0) {
    return exitCodes.DONE;
  }
  const { watchUntilEnd } = await import('../watch/watching.ts');
  return watchUntilEnd(cli, await watchingRetries(cli, selections, result), every);
}

/** A batch as counts, and anything else as the attempts that were made. */
async function watchingRetries(
  cli: Cli,
  [selection, ...others]: readonly RetrySelection[],
  { attempts }: RetryResult,
): Promise<Watching<unknown>> {
  if (selection && others.length === 0 && 'batchId' in selection) {
    const { batchGroup, watchingGroup } = await import('../watch/group.ts');
    return watchingGroup(cli, batchGroup(selection.batchId));
  }
  const { watchingJobs } = await import('../watch/jobs.ts');
  return watchingJobs(
    cli,
    attempts.map(({ recordId }) => ({ recordId })),
  );
}

async function selectionsOf(
  cli: Cli,
  ids: readonly string[],
  { batch, label }: RetryOptions,
): Promise<RetrySelection[]> {
  const given = [ids.length > 0, batch !== undefined, label !== undefined].filter(Boolean).length;
  if (given !== 1) {
    throw wrongInput(
      'ARGUMENTS_WRONG',
      'Give exactly one of: record ids, job keys, or batches; --batch; --label.',
    );
  }
  if (label) {
    return [{ label: [label.name, label.value] }];
  }
  if (batch !== undefined) {
    if (!(await isBatch(cli, batch))) {
      throw await notFound(cli, batch, 'no batch');
    }
    return [{ batchId: batch }];
  }
  const targets: Target[] = [];
  for (const id of ids) {
    targets.push(await requireTarget(cli, id));
  }
  const named = (kind: Target['kind']) =>
    targets.filter((target) => target.kind === kind).map(({ id }) => id);
  const [recordIds, jobKeys] = [named('RECORD'), named('JOB')];
  return [
    ...(recordIds.length > 0 ? [{ recordIds }] : []),
    ...(jobKeys.length > 0 ? [{ jobKeys }] : []),
    ...named('BATCH').map((batchId) => ({ batchId })),
  ];
}

function merged(results: readonly RetryResult[]): RetryResult {
  const skipped: Partial<Record<NotRetriedReason, number>> = {};
  for (const result of results) {
    for (const [reason, count] of Object.entries(result.skipped) as [NotRetriedReason, number][]) {
      skipped[reason] = (skipped[reason] ?? 0) + count;
    }
  }
  return {
    started: results.reduce((sum, { started }) => sum + started, 0),
    attempts: results.flatMap(({ attempts }) => attempts),
    skipped,
    damaged: results.flatMap(({ damaged }) => damaged),
    unknown: results.flatMap(({ unknown }) => unknown),
  };
}

async function writeResult(
  cli: Cli,
  { started, attempts, skipped }: RetryResult,
  dryRun: boolean,
): Promise<void> {
  const { terminal } = cli;
  if (cli.isQuiet) {
    for (const { recordId } of attempts) {
      terminal.out(recordId);
    }
    return;
  }
  terminal.out(`${plural(started, 'job')} ${dryRun ? 'would be retried' : 'retried'}.`);
  const { records } = await cli.store();
  const before = await records.getMany(attempts.map(({ retryOf }) => retryOf));
  const names = new Map(
    before.filter(isReadable).map(({ id, value: { jobKey } }) => [id, jobKey ?? id] as const),
  );
  for (const { recordId, retryOf } of attempts) {
    terminal.out(`  ${printable(names.get(retryOf) ?? retryOf)}  ${recordId}`);
  }
  if (started > attempts.length) {
    terminal.out(`  … and ${started - attempts.length} more`);
  }
  for (const [reason, count] of Object.entries(skipped) as [NotRetriedReason, number][]) {
    terminal.out(`${count} ${reasons[reason]}`);
  }
}
