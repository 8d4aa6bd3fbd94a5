import { recordIdPattern } from '../../shared/model/ids.ts';
import {
  type NotRetriedReason,
  type RetryResult,
  retryJobs,
  type RetrySelection,
} from '../../shared/retry/retry.ts';
import { wrongInput } from '../cli-error.ts';
import { type Cli, writeJson } from '../cli.ts';
import { type ExitCode, exitCodes } from '../exit-codes.ts';
import type { Label } from '../options.ts';
import { plural, printable } from '../text.ts';

export interface RetryOptions {
  readonly batch?: string;
  readonly label?: Label;
  readonly force?: boolean;
  readonly dryRun?: boolean;
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
  const { force = false, dryRun = false } = options;
  const selections = selectionsOf(ids, options);
  const services = await cli.services();
  const results: RetryResult[] = [];
  for (const selection of selections) {
    results.push(await retryJobs(services, selection, { force, dryRun }));
  }
  const result = merged(results);
  if (cli.json) {
    writeJson(cli, { dryRun, ...result });
  } else {
    writeResult(cli, result, dryRun);
  }
  return result.unknown.length > 0 || result.damaged.length > 0 ? exitCodes.FAILED : exitCodes.DONE;
}

function selectionsOf(ids: readonly string[], { batch, label }: RetryOptions): RetrySelection[] {
  const given = [ids.length > 0, batch !== undefined, label !== undefined].filter(Boolean).length;
  if (given !== 1) {
    throw wrongInput('ARGUMENTS_WRONG', 'Give exactly one of: ids or job keys, --batch, --label.');
  }
  if (batch !== undefined) {
    return [{ batchId: batch }];
  }
  if (label) {
    return [{ label: [label.name, label.value] }];
  }
  const isRecordId = (id: string) => recordIdPattern.test(id);
  const recordIds = ids.filter(isRecordId);
  const jobKeys = ids.filter((id) => !isRecordId(id));
  return [...(recordIds.length > 0 ? [{ recordIds }] : []), ...(jobKeys.length > 0 ? [{ jobKeys }] : [])];
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

function writeResult(
  { terminal }: Cli,
  { started, attempts, skipped, damaged, unknown }: RetryResult,
  dryRun: boolean,
): void {
  const isOnlyUnknown = started === 0 && unknown.length > 0 && Object.keys(skipped).length === 0;
  if (!isOnlyUnknown) {
    terminal.out(`${plural(started, 'job')} ${dryRun ? 'would be retried' : 'retried'}.`);
  }
  for (const { recordId, retryOf } of attempts) {
    terminal.out(`  ${recordId}  after ${retryOf}`);
  }
  if (started > attempts.length) {
    terminal.out(`  … and ${started - attempts.length} more`);
  }
  for (const [reason, count] of Object.entries(skipped) as [NotRetriedReason, number][]) {
    terminal.out(`${count} ${reasons[reason]}`);
  }
  for (const id of damaged) {
    terminal.err(`ee-video-exports: ${id} is damaged and is not retried.`);
  }
  for (const id of unknown) {
    terminal.err(
      `ee-video-exports: There is no record or job key ${printable(id)}. To see what exists, run list.`,
    );
  }
}
