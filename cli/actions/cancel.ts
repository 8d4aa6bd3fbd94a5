import type { Cancellation } from '../../shared/cancellation/cancellation-schema.ts';
import { cancellationSchema } from '../../shared/cancellation/cancellation-schema.ts';
import { activeStates, isTerminal, type RecordState, terminalStates } from '../../shared/model/record.ts';
import { CliError, wrongInput } from '../cli-error.ts';
import type { Cli } from '../cli.ts';
import { note, writeJson } from '../output.ts';
import { type ExitCode, exitCodes } from '../exit-codes.ts';
import { publishAll, publishFailure } from '../publish.ts';
import { findTarget, isBatch, notFound, recordOf, type Target } from '../targets.ts';
import { nameOf, plural, printable } from '../text.ts';
import { countsText, countStates, inBatch } from '../watch/group.ts';

export interface CancelOptions {
  readonly jobKey?: string;
  readonly batch?: string;
  readonly ahead?: boolean;
  readonly dryRun?: boolean;
  readonly yes?: boolean;
}

interface Planned {
  readonly cancellation: Cancellation;
  /** For people: what it is, and what it would cancel. */
  readonly description: string;
  readonly isBatch: boolean;
  /** Earth Engine may have started some of it. */
  readonly maySucceed: boolean;
}

const atEarthEngine: readonly RecordState[] = ['SUBMITTING', ...activeStates];

/** Publishes cancellations, which the service carries out: the same messages that any program can publish. */
export async function cancel(cli: Cli, ids: readonly string[], options: CancelOptions): Promise<ExitCode> {
  const planned = await plan(cli, ids, options);
  if (planned.length === 0) {
    return exitCodes.DONE;
  }
  if (options.dryRun) {
    for (const { cancellation, description } of planned) {
      if (cli.json) {
        writeJson(cli, { dryRun: true, ...cancellation });
      } else {
        cli.terminal.out(`would cancel ${description}`);
      }
    }
    return exitCodes.DONE;
  }
  if (!(await isAgreed(cli, planned, options))) {
    throw new CliError('NOT_AGREED', 'Nothing was canceled.');
  }
  await publish(
    cli,
    planned.map(({ cancellation }) => cancellation),
  );
  if (cli.json) {
    for (const { cancellation } of planned) {
      writeJson(cli, cancellation);
    }
    return exitCodes.DONE;
  }
  for (const { description } of cli.isQuiet ? [] : planned) {
    cli.terminal.out(`canceling ${description}`);
  }
  if (planned.some(({ maySucceed }) => maySucceed)) {
    note(cli, 'Jobs that Earth Engine is already rendering may still succeed.');
  }
  return exitCodes.DONE;
}

/** What is to be canceled, without what has ended already. */
async function plan(
  cli: Cli,
  ids: readonly string[],
  { jobKey, batch, ahead }: CancelOptions,
): Promise<Planned[]> {
  if (ids.length === 0 && jobKey === undefined && batch === undefined) {
    throw wrongInput('ARGUMENTS_WRONG', 'Give something to cancel: record ids, job keys, or batches.');
  }
  if (ahead) {
    return [
      ...ids.map((recordId) => unseen({ recordId })),
      ...(jobKey === undefined ? [] : [unseen({ jobKey })]),
      ...(batch === undefined ? [] : [unseen({ batchId: batch })]),
    ];
  }
  const targets: Target[] = [];
  for (const id of [...ids, ...(jobKey === undefined ? [] : [jobKey])]) {
    // Otherwise a mistyped name would cancel a job that is submitted later.
    const target = await findTarget(cli, id);
    targets.push(target ?? (await nothingFor(cli, id)));
  }
  if (batch !== undefined) {
    targets.push((await isBatch(cli, batch)) ? { kind: 'BATCH', id: batch } : await nothingFor(cli, batch));
  }
  const planned: Planned[] = [];
  for (const target of targets) {
    const next = await plannedFor(cli, target);
    if (next) {
      planned.push(next);
    }
  }
  return planned;
}

async function nothingFor(cli: Cli, id: string): Promise<never> {
  const { message } = await notFound(cli, id, 'no record, job key, or batch, so nothing was canceled');
  throw new CliError('NOT_FOUND', `${message} To cancel what does not exist yet, add --ahead.`);
}

/** Canceling what does not exist yet: only its form can be checked. */
function unseen(cancellation: Cancellation): Planned {
  const [issue] = cancellationSchema.safeParse(cancellation).error?.issues ?? [];
  const name = printable(String(Object.values(cancellation)[0]));
  if (issue) {
    throw wrongInput(
      'ARGUMENTS_WRONG',
      `Cannot cancel ${name} ahead: give ${issue.message}, or use --job-key or --batch.`,
    );
  }
  return { cancellation, description: `${name} ahead`, isBatch: false, maySucceed: false };
}

async function plannedFor(cli: Cli, target: Target): Promise<Planned | undefined> {
  const name = printable(target.id);
  if (target.kind === 'BATCH') {
    const counts = await unfinished(cli, target.id);
    const text = countsText(counts) || 'no unfinished job';
    return {
      cancellation: { batchId: target.id },
      description: `batch ${name} (${text})`,
      isBatch: true,
      maySucceed: atEarthEngine.some((state) => (counts[state] ?? 0) > 0),
    };
  }
  const record = recordOf(target);
  const attempts = target.kind === 'JOB' ? target.attempts : record ? [record] : [];
  const latest = record?.value;
  if (latest && attempts.every(({ value }) => isTerminal(value))) {
    note(cli, `${name} has already ended (${latest.state}).`);
    return undefined;
  }
  const description = record
    ? `${printable(nameOf(record.id, record.value))}  ${record.id}  (${record.value.state})`
    : name;
  return {
    cancellation: target.kind === 'JOB' ? { jobKey: target.id } : { recordId: target.id },
    description,
    isBatch: false,
    maySucceed: attempts.some(({ value }) => atEarthEngine.includes(value.state)),
  };
}

async function unfinished(cli: Cli, batchId: string): Promise<Partial<Record<RecordState, number>>> {
  const counts = await countStates(cli, inBatch(batchId));
  const ended = new Set<string>(terminalStates);
  return Object.fromEntries(Object.entries(counts).filter(([state]) => !ended.has(state)));
}

/** A whole batch is easily a thousand jobs. A script is not asked, since no person is there to answer. */
async function isAgreed(cli: Cli, planned: readonly Planned[], { yes }: CancelOptions): Promise<boolean> {
  const batches = planned.filter(({ isBatch: isWhole }) => isWhole);
  if (yes || batches.length === 0 || !cli.confirm) {
    return true;
  }
  return cli.confirm(`Cancel ${batches.map(({ description }) => description).join(', ')}?`);
}

async function publish(cli: Cli, cancellations: readonly Cancellation[]): Promise<void> {
  const config = await cli.serviceConfig();
  const topic = config.topics.cancellations;
  const data = cancellations.map((cancellation) => Buffer.from(JSON.stringify(cancellation)));
  const outcomes = await publishAll(cli, topic, data);
  const failed = outcomes.find((outcome) => 'error' in outcome);
  if (failed) {
    throw publishFailure(
      failed.error,
      topic,
      config,
      `${plural(outcomes.filter((outcome) => !('error' in outcome)).length, 'cancellation')} of ${outcomes.length} published`,
    );
  }
}
