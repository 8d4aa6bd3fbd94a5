import { type Cancellation, cancellationSchema } from '../../shared/cancellation/cancellation-schema.ts';
import { type ExportRecord, isTerminal } from '../../shared/model/record.ts';
import { recordQueries } from '../../shared/store/queries.ts';
import { isReadable } from '../../shared/store/store.ts';
import { type Cli, writeJson } from '../cli.ts';
import { type ExitCode, exitCodes } from '../exit-codes.ts';
import { CliError, wrongInput } from '../cli-error.ts';
import { publishAll, publishFailure } from '../publish.ts';
import { plural, printable } from '../text.ts';

export interface CancelOptions {
  readonly jobKey?: string;
  readonly batch?: string;
  readonly ahead?: boolean;
}

/** Publishes what the service then does: the same message that any program may publish. */
export async function cancel(cli: Cli, ids: readonly string[], options: CancelOptions): Promise<ExitCode> {
  const { jobKey, batch, ahead } = options;
  const cancellations: Cancellation[] = [
    ...ids.map((recordId) => ({ recordId })),
    ...(jobKey === undefined ? [] : [{ jobKey }]),
    ...(batch === undefined ? [] : [{ batchId: batch }]),
  ];
  if (cancellations.length === 0) {
    throw wrongInput('ARGUMENTS_WRONG', 'Say what to cancel: record ids, --job-key or --batch.');
  }
  const wanted: Cancellation[] = [];
  for (const cancellation of cancellations) {
    const parsed = cancellationSchema.safeParse(cancellation);
    const [issue] = parsed.error?.issues ?? [];
    if (issue) {
      const [value] = Object.values(cancellation);
      throw wrongInput(
        'ARGUMENTS_WRONG',
        `${printable(String(value))} cannot be cancelled: give ${issue.message} (a job key goes after --job-key).`,
      );
    }
    // A mistyped name would keep a job from running that comes one day.
    const known = ahead ? true : await lookUp(cli, cancellation);
    if (known === false) {
      const [name] = Object.values(cancellation);
      throw new CliError(
        'NOT_FOUND',
        `There is nothing of ${printable(String(name))}, so nothing was cancelled; list shows what there is, and --ahead cancels what has not come yet.`,
      );
    }
    if (typeof known === 'string') {
      cli.terminal.err(`${cancellation.recordId} has ended already (${known}): there is nothing to cancel.`);
    } else {
      wanted.push(cancellation);
    }
  }
  if (wanted.length === 0) {
    return exitCodes.DONE;
  }
  const config = await cli.config();
  const topic = config.topics.cancellations;
  const data = wanted.map((cancellation) => Buffer.from(JSON.stringify(cancellation)));
  const outcomes = await publishAll(cli, topic, data);
  const failed = outcomes.find((outcome) => 'error' in outcome);
  if (failed) {
    throw publishFailure(failed.error, topic, config, 'Not all cancellations were published');
  }
  if (cli.json) {
    for (const cancellation of wanted) {
      writeJson(cli, cancellation);
    }
    return exitCodes.DONE;
  }
  cli.terminal.out(
    `${plural(wanted.length, 'cancellation')} published; what Earth Engine already renders may still succeed.`,
  );
  return exitCodes.DONE;
}

/** Whether there is anything of it; of a single job that has ended, how. */
async function lookUp(
  cli: Cli,
  { recordId, jobKey, batchId }: Cancellation,
): Promise<boolean | ExportRecord['state']> {
  const { records, batches } = await cli.store();
  if (recordId !== undefined) {
    const found = await records.get(recordId);
    return found && isReadable(found) && isTerminal(found.value) ? found.value.state : found !== undefined;
  }
  if (jobKey !== undefined) {
    return (await records.find(recordQueries.ofJobKey(jobKey), { limit: 1 })).length > 0;
  }
  if (batchId === undefined) {
    return false;
  }
  return (
    (await batches.get(batchId)) !== undefined ||
    (await records.find(recordQueries.ofBatch(batchId), { limit: 1 })).length > 0
  );
}
