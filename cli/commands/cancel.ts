import { type Cancellation, cancellationSchema } from '../../shared/cancellation/cancellation-schema.ts';
import { recordQueries } from '../../shared/store/queries.ts';
import { type Cli, writeJson } from '../cli.ts';
import { type ExitCode, exitCodes } from '../exit-codes.ts';
import { CliError, wrongInput } from '../problem.ts';
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
    if (!ahead && !(await isKnown(cli, cancellation))) {
      const [name] = Object.values(cancellation);
      throw new CliError(
        'NOT_FOUND',
        `There is nothing of ${printable(String(name))}, so nothing was cancelled; list shows what there is, and --ahead cancels what has not come yet.`,
      );
    }
  }
  const config = await cli.config();
  const topic = config.topics.cancellations;
  const data = cancellations.map((cancellation) => Buffer.from(JSON.stringify(cancellation)));
  const outcomes = await publishAll(cli, topic, data);
  const failed = outcomes.find((outcome) => 'error' in outcome);
  if (failed) throw publishFailure(failed.error, topic, config, 'Not all cancellations were published');
  if (cli.json) {
    for (const cancellation of cancellations) writeJson(cli, cancellation);
    return exitCodes.DONE;
  }
  cli.terminal.out(
    `${plural(cancellations.length, 'cancellation')} published; what Earth Engine already renders may still succeed.`,
  );
  return exitCodes.DONE;
}

async function isKnown(cli: Cli, { recordId, jobKey, batchId }: Cancellation): Promise<boolean> {
  const { records, batches } = await cli.store();
  if (recordId !== undefined) return (await records.get(recordId)) !== undefined;
  if (jobKey !== undefined)
    return (await records.find(recordQueries.ofJobKey(jobKey), { limit: 1 })).length > 0;
  if (batchId === undefined) return false;
  return (
    (await batches.get(batchId)) !== undefined ||
    (await records.find(recordQueries.ofBatch(batchId), { limit: 1 })).length > 0
  );
}
