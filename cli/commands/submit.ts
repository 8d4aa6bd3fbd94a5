import { readFile } from 'node:fs/promises';

import { jobRules } from '../../shared/batch/job-rules.ts';
import { readJsonData } from '../../shared/message/envelope.ts';
import { sentRequest } from '../../shared/message/identity.ts';
import { parseJobMessage } from '../../shared/message/job-message.ts';
import type { Job } from '../../shared/message/job.ts';
import type { Issue } from '../../shared/message/rejected-message.ts';
import type { Config } from '../../shared/config.ts';
import { type Cli, writeJson } from '../cli.ts';
import { type ExitCode, exitCodes } from '../exit-codes.ts';
import { CliError, wrongInput } from '../problem.ts';
import { printable } from '../text.ts';
import type { WatchedJob } from '../watch/jobs.ts';

export interface SubmitOptions {
  readonly dryRun?: boolean;
  readonly watch?: boolean;
  /** Seconds. */
  readonly every: number;
}

const PUBLISH_TIMEOUT_MS = 30_000;

interface Checked {
  readonly file: string;
  readonly data: Uint8Array;
  readonly reading: { readonly job: Job } | { readonly reason: string; readonly issues: readonly Issue[] };
}

/** Publishes all files, or, where one of them has a mistake, none. */
export async function submit(
  cli: Cli,
  files: readonly string[],
  { dryRun, watch, every }: SubmitOptions,
): Promise<ExitCode> {
  const { terminal } = cli;
  const config = await cli.config();
  const checked: Checked[] = [];
  for (const file of files) checked.push(check(file, await readInput(cli, file), config));

  const jobs = checked.flatMap(({ file, data, reading }) =>
    'job' in reading ? [{ file, data, job: reading.job }] : [],
  );
  if (jobs.length < checked.length) {
    tellMistakes(cli, checked);
    return exitCodes.WRONG_INPUT;
  }
  if (dryRun) {
    for (const { job } of jobs) {
      const { recordId, project, destination } = job;
      writeDryRun(cli, { recordId, project, destination, request: sentRequest(job.request, recordId) });
    }
    return exitCodes.DONE;
  }

  const messages = jobs.map(({ data }) => ({ data, attributes: {} }));
  const publisher = await cli.publisher();
  const outcomes = await publisher.publish(config.topics.jobs, messages, PUBLISH_TIMEOUT_MS);
  const published: WatchedJob[] = [];
  let failure: Error | undefined;
  for (const [index, { file, job }] of jobs.entries()) {
    const outcome = outcomes[index];
    if (!outcome || 'error' in outcome) {
      failure ??= outcome?.error ?? new Error('it was not answered');
      continue;
    }
    const { recordId, jobKey } = job;
    const { messageId } = outcome;
    published.push({ recordId, messageId, contentHash: job.contentHash, name: jobKey ?? file });
    if (cli.json) writeJson(cli, { recordId, messageId, jobKey, file });
    else terminal.out(`${recordId}  ${printable(jobKey ?? file)}`);
  }
  if (failure) {
    throw new CliError(
      'PUBLISH_FAILED',
      `${published.length} of ${jobs.length} messages were published: ${topicProblem(failure, config)}; submitting all again is safe.`,
      { cause: failure },
    );
  }
  if (!watch) return exitCodes.DONE;
  const { watchJobs } = await import('./watch.ts');
  return watchJobs(cli, published, every);
}

function topicProblem(failure: Error, { topics, googleCloudProject }: Config): string {
  const { code } = (failure.cause ?? failure) as { code?: unknown };
  return code === 5
    ? `there is no topic ${topics.jobs} in ${googleCloudProject}; is that the service's project (GOOGLE_CLOUD_PROJECT)?`
    : failure.message.replace(/\.$/, '');
}

async function readInput(cli: Cli, file: string): Promise<Uint8Array> {
  if (file === '-') return cli.readStdin();
  try {
    return await readFile(file);
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException;
    const why = code === 'ENOENT' ? 'there is no such file' : code === 'EISDIR' ? 'it is a folder' : code;
    throw wrongInput('FILE_UNREADABLE', `${file} cannot be read: ${why}; name a file with a job message.`, {
      cause: error,
    });
  }
}

/** What the service will make of it. */
function check(file: string, data: Uint8Array, config: Config): Checked {
  const envelope = {
    messageId: file,
    publishTime: undefined,
    attributes: {},
    subscription: undefined,
    deliveryAttempt: undefined,
    data,
    problem: undefined,
  };
  const json = readJsonData(envelope);
  if ('issues' in json) return { file, data, reading: { reason: 'INVALID_DATA', issues: json.issues } };
  const reading = parseJobMessage(json.json, jobRules(config));
  return {
    file,
    data,
    reading: 'job' in reading ? reading : { reason: 'INVALID_JOB', issues: reading.issues },
  };
}

/** As `rejectedMessages` would have it. */
function tellMistakes(cli: Cli, checked: readonly Checked[]): void {
  const { terminal } = cli;
  for (const { file, reading } of checked) {
    if ('job' in reading) continue;
    const { reason, issues } = reading;
    if (cli.json) {
      writeJson(cli, { file, reason, issues });
      continue;
    }
    terminal.err(`${file}: ${reason}`);
    for (const { path, message } of issues) terminal.err(`  ${printable(path)}: ${printable(message)}`);
    if (issues.some(({ message }) => /ALLOWED_(?:PROJECTS|DESTINATIONS)/.test(message))) {
      terminal.err('  (ALLOWED_… are read from this environment: set them as the service has them)');
    }
  }
  const wrong = checked.filter(({ reading }) => !('job' in reading)).length;
  terminal.err(
    `ee-video-exports: ${wrong} of ${checked.length} messages ${wrong === 1 ? 'has' : 'have'} mistakes, so nothing was published; mend what is listed and submit again.`,
  );
}

function writeDryRun(
  cli: Cli,
  planned: { readonly recordId: string } & Readonly<Record<string, unknown>>,
): void {
  if (cli.json) writeJson(cli, planned);
  else cli.terminal.out(`${planned.recordId}\n${JSON.stringify(planned, undefined, 2)}`);
}
