import { type Cancellation, cancellationSchema } from '../../shared/cancellation/cancellation-schema.ts';
import { type ExportRecord, isTerminal } from '../../shared/model/record.ts';
import { recordQueries } from '../../shared/store/queries.ts';
import { isReadable } from '../../shared/store/store.ts';
import { CliError, wrongInput } from '../cli-error.ts';
import { type Cli, writeJson } from '../cli.ts';
import { type ExitCode, exitCodes } from '../exit-codes.ts';
import { publishAll, publishFailure } from '../publish.ts';
import { plural, printable } from '../text.ts';

export interface CancelOptions {
  readonly jobKey?: string;
  readonly batch?: string;
  readonly ahead?: boolean;
}

/** Publishes cancellations, which the service carries out: the same messages that any program can publish. */
export async function cancel(cli: Cli, ids: readonly string[], options: CancelOptions): Promise<ExitCode> {
  const { jobKey, batch, ahead } = options;
  const cancellations: Cancellation[] = [
    ...ids.map((recordId) => ({ recordId })),
    ...(jobKey === undefined ? [] : [{ jobKey }]),
    ...(batch === undefined ? [] : [{ batchId: batch }]),
  ];
  if (cancellations.length === 0) {
    throw wrongInput('ARGUMENTS_WRONG', 'Give something to cancel: record ids, --job-key or --batch.');
  }
  const wanted: Cancellation[] = [];
  for (const cancellation of cancellations) {
    const parsed = cancellationSchema.safeParse(cancellation);
    const [issue] = parsed.error?.issues ?? [];
    if (issue) {
      const [value] = Object.values(cancellation);
      throw wrongInput(
        'ARGUMENTS_WRONG',
        `Cannot cancel ${printable(String(value))}: give ${issue.message} (or a job key, after --job-key).`,
      );
    }
    // Otherwise a mistyped name would cancel a job that is submitted later.
    const known = ahead ? true : await lookUp(cli, cancellation);
    if (known === false) {
      const [name] = Object.values(cancellation);
      throw new CliError(
        'NOT_FOUND',
        `Nothing found for ${printable(String(name))}, so nothing was canceled. To see what exists, run list; to cancel what does not exist yet, add --ahead.`,
      );
    }
    if (typeof known === 'string') {
      cli.terminal.err(`${cancellation.recordId} has already ended (${known}).`);
    } else {
      wanted.push(cancellation);
    }
  }
  if (wanted.length === 0) {
    return exitCodes.DONE;
  }
  const config = await cli.serviceConfig();
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
    `${plural(wanted.length, 'cancellation')} published. Jobs that Earth Engine is already rendering may still succeed.`,
  );
  return exitCodes.DONE;
}

/** @returns whether it exists; for a single job that has ended, its state */
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
