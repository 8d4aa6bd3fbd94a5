import { sentRequest } from '../../shared/message/identity.ts';
import { jobRules, parseJobMessage } from '../../shared/message/job-message.ts';
import type { Job } from '../../shared/model/job.ts';
import type { Issue } from '../../shared/model/rejected-message.ts';
import type { Config } from '../../shared/config.ts';
import { type Cli, writeJson } from '../cli.ts';
import { type ExitCode, exitCodes } from '../exit-codes.ts';
import { readInput, readJson, tellIssues } from '../input.ts';
import { publishAll, publishFailure } from '../publish.ts';
import { plural, printable } from '../text.ts';
import type { WatchedJob } from '../watch/jobs.ts';

export interface SubmitOptions {
  readonly dryRun?: boolean;
  readonly watch?: boolean;
  /** Seconds. */
  readonly every: number;
}

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
  for (const file of files) {
    checked.push(check(file, await readInput(cli, file), config));
  }

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
      failure ??= outcome?.error ?? new Error('it was not answered');
      continue;
    }
    const { recordId, jobKey } = job;
    const { messageId } = outcome;
    published.push({ recordId, messageId, contentHash: job.contentHash, name: jobKey ?? file });
    if (cli.json) {
      writeJson(cli, { recordId, messageId, jobKey, file });
    } else {
      terminal.out(`${recordId}  ${printable(jobKey ?? file)}`);
    }
  }
  if (failure) {
    throw publishFailure(
      failure,
      topic,
      config,
      `${published.length} of ${plural(jobs.length, 'message')} published`,
    );
  }
  if (!watch) {
    return exitCodes.DONE;
  }
  const { watchJobs } = await import('./watch.ts');
  return watchJobs(cli, published, every);
}

/** What the service will make of it. */
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

/** As `rejectedMessages` would have it. */
function tellMistakes(cli: Cli, checked: readonly Checked[]): void {
  for (const { file, reading } of checked) {
    if ('issues' in reading) {
      tellIssues(cli, file, reading.reason, reading.issues);
    }
  }
  const wrong = checked.filter(({ reading }) => 'issues' in reading).length;
  cli.terminal.err(
    `ee-video-exports: ${wrong} of ${plural(checked.length, 'message')} ${wrong === 1 ? 'has' : 'have'} mistakes, so nothing was published; mend what is listed and submit again.`,
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
