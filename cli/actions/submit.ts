import type { Config } from '../../shared/config.ts';
import { sentRequest } from '../../shared/message/identity.ts';
import { jobRules, parseJobMessage } from '../../shared/message/job-message.ts';
import type { Job } from '../../shared/model/job.ts';
import type { Issue } from '../../shared/model/rejected-message.ts';
import { type Cli, writeJson } from '../cli.ts';
import { type ExitCode, exitCodes } from '../exit-codes.ts';
import { readInput, readJson, writeIssues } from '../input.ts';
import { publishAll, publishFailure } from '../publish.ts';
import { plural, printable } from '../text.ts';
import type { WatchedJob } from '../watch/jobs.ts';

export interface SubmitOptions {
  readonly dryRun?: boolean;
  readonly watch?: boolean;
  /** In seconds. */
  readonly every: number;
}

interface Checked {
  readonly file: string;
  readonly data: Uint8Array;
  readonly reading: { readonly job: Job } | { readonly reason: string; readonly issues: readonly Issue[] };
}

/** Publishes all files, or none if one of them has a mistake. */
export async function submit(
  cli: Cli,
  files: readonly string[],
  { dryRun, watch, every }: SubmitOptions,
): Promise<ExitCode> {
  const config = await cli.serviceConfig();
  const checked: Checked[] = [];
  for (const file of files) {
    checked.push(check(file, await readInput(cli, file), config));
  }

  const jobs = checked.flatMap(({ file, data, reading }) =>
    'job' in reading ? [{ file, data, job: reading.job }] : [],
  );
  if (jobs.length < checked.length) {
    writeMistakes(cli, checked);
    return exitCodes.WRONG_INPUT;
  }
  if (dryRun) {
    for (const { job } of jobs) {
      const { recordId, project, destination } = job;
      writeDryRun(cli, { recordId, project, destination, request: sentRequest(job.request, recordId) });
    }
    return exitCodes.DONE;
  }
  const published = await publishJobs(cli, config, jobs);
  if (!watch) {
    return exitCodes.DONE;
  }
  const { watchingJobs } = await import('../watch/jobs.ts');
  const { watchUntilEnd } = await import('../watch/watching.ts');
  return watchUntilEnd(cli, watchingJobs(cli, published), every);
}

/** Reads a message as the service will. */
function check(file: string, data: Uint8Array, config: Config): Checked {
  const json = readJson(data);
  if ('issues' in json) {
    return { file, data, reading: { reason: 'INVALID_DATA', issues: json.issues } };
  }
  const reading = parseJobMessage(json.json, jobRules(config));
  return {
    file,
    data,
    reading: 'job' in reading ? reading : { reason: 'INVALID_JOB', issues: reading.issues },
  };
}

/** @throws CliError after the messages that were published are written */
async function publishJobs(
  cli: Cli,
  config: Config,
  jobs: readonly { readonly file: string; readonly data: Uint8Array; readonly job: Job }[],
): Promise<WatchedJob[]> {
  const topic = config.topics.jobs;
  const outcomes = await publishAll(
    cli,
    topic,
    jobs.map(({ data }) => data),
  );
  const published: WatchedJob[] = [];
  let failure: Error | undefined;
  for (const [index, { file, job }] of jobs.entries()) {
    const outcome = outcomes[index];
    if (!outcome || 'error' in outcome) {
      failure ??= outcome?.error ?? new Error('no response from Pub/Sub');
      continue;
    }
    const { recordId, jobKey, contentHash } = job;
    const { messageId } = outcome;
    published.push({ recordId, messageId, contentHash, name: jobKey ?? file });
    if (cli.json) {
      writeJson(cli, { recordId, messageId, jobKey, file });
    } else {
      cli.terminal.out(`${recordId}  ${printable(jobKey ?? file)}`);
    }
  }
  if (failure) {
    const what = `${published.length} of ${plural(jobs.length, 'message')} published`;
    throw publishFailure(failure, topic, config, what);
  }
  return published;
}

function writeMistakes(cli: Cli, checked: readonly Checked[]): void {
  for (const { file, reading } of checked) {
    if ('issues' in reading) {
      writeIssues(cli, file, reading.reason, reading.issues);
    }
  }
  const wrong = checked.filter(({ reading }) => 'issues' in reading).length;
  cli.terminal.err(
    `ee-video-exports: ${wrong} of ${plural(checked.length, 'message')} ${wrong === 1 ? 'has' : 'have'} mistakes, so nothing was published. Fix them and submit again.`,
  );
}

function writeDryRun(
  cli: Cli,
  planned: { readonly recordId: string } & Readonly<Record<string, unknown>>,
): void {
  if (cli.json) {
    writeJson(cli, planned);
  } else {
    cli.terminal.out(`${planned.recordId}\n${JSON.stringify(planned, undefined, 2)}`);
  }
}
