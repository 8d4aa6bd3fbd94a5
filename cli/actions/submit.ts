import type { Config } from '../../shared/config.ts';
import type { Estimator } from '../../shared/estimate/history.ts';
import { sentRequest } from '../../shared/message/identity.ts';
import { jobRules, parseJobMessage, type ReadJob } from '../../shared/message/job-message.ts';
import type { Job } from '../../shared/model/job.ts';
import { isTerminal } from '../../shared/model/record.ts';
import type { Issue } from '../../shared/model/rejected-message.ts';
import { isOfBatch } from '../../shared/record/batches.ts';
import type { Cli } from '../cli.ts';
import { writeJson } from '../output.ts';
import { wrongInput } from '../cli-error.ts';
import { estimatorOf, readEstimate } from '../estimate.ts';
import { type Existing, lookUpJobs } from '../existing.ts';
import { type ExitCode, exitCodes } from '../exit-codes.ts';
import { readInput, readJson, writeFindings, writeIssues } from '../input.ts';
import { publishAll, publishFailure } from '../publish.ts';
import { shorten, wrap } from '../screen.ts';
import { paintState } from '../terminal.ts';
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
  readonly reading: ReadJob | { readonly reason: string; readonly issues: readonly Issue[] };
}

/** A valid message, and what exists of its job. */
interface Submission {
  readonly file: string;
  readonly data: Uint8Array;
  readonly job: Job;
  readonly existing: Existing;
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
    throw mistakes(cli, checked);
  }
  const { records } = await cli.store();
  const existing = await lookUpJobs(
    records,
    jobs.map(({ job }) => job),
  );
  const submissions = jobs.flatMap((each, index) => {
    const found = existing[index];
    return found ? [{ ...each, existing: found }] : [];
  });
  if (submissions.some(({ existing: { kind } }) => kind === 'OTHER')) {
    throw conflicts(cli, submissions);
  }
  for (const { file, reading } of checked) {
    writeFindings(cli, file, 'job' in reading ? reading.findings : []);
  }
  if (dryRun) {
    const estimator = await estimatorOf(cli);
    for (const { job } of jobs) {
      await writeDryRun(cli, job, estimator);
    }
    return exitCodes.DONE;
  }
  const watched = await publishJobs(cli, config, submissions);
  if (!watch) {
    return submissions.some(hasFailed) ? exitCodes.UNSUCCESSFUL : exitCodes.DONE;
  }
  const { watchingJobs } = await import('../watch/jobs.ts');
  const { watchUntilEnd } = await import('../watch/watching.ts');
  return watchUntilEnd(cli, watchingJobs(cli, watched), every);
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

function mistakes(cli: Cli, checked: readonly Checked[]): Error {
  for (const { file, reading } of checked) {
    if ('issues' in reading) {
      writeIssues(cli, file, reading.reason, reading.issues);
    }
  }
  const wrong = checked.filter(({ reading }) => 'issues' in reading).length;
  return wrongInput(
    'INVALID_JOB',
    `${wrong} of ${plural(checked.length, 'message')} ${wrong === 1 ? 'has' : 'have'} mistakes, so nothing was published. Fix them and submit again.`,
  );
}

/** The service would reject these messages, and only a look at `rejectedMessages` would show it. */
function conflicts(cli: Cli, submissions: readonly Submission[]): Error {
  let refused = 0;
  for (const { file, job, existing } of submissions) {
    if (existing.kind !== 'OTHER') {
      continue;
    }
    refused += 1;
    const { recordId, jobKey } = job;
    const { paths, nextAttempt } = existing;
    if (cli.json) {
      writeJson(cli, { outcome: 'REFUSED', recordId, jobKey, file, differsIn: paths, nextAttempt });
      continue;
    }
    cli.terminal.err(jobLine(cli, 'refused', { job, file, id: recordId }));
    const differing = `There is already a job with this key. It differs in ${printable(paths.join(', '))}.`;
    const advice = `To run the changed job, raise attempt to ${nextAttempt}, or use another jobKey.`;
    for (const line of [differing, advice].flatMap((text) => wrap(text, '  ', cli.terminal.columns))) {
      cli.terminal.err(line);
    }
  }
  return wrongInput(
    'CONFLICT',
    `${refused} of ${plural(submissions.length, 'message')} would be rejected, so nothing was published. Change what is listed and submit again.`,
  );
}

/** @throws CliError after the messages that were published are written */
async function publishJobs(
  cli: Cli,
  config: Config,
  submissions: readonly Submission[],
): Promise<WatchedJob[]> {
  const topic = config.topics.jobs;
  const toPublish = submissions.filter(isToPublish);
  const outcomes = await publishAll(
    cli,
    topic,
    toPublish.map(({ data }) => data),
  );
  const outcomeOf = new Map(toPublish.map((submission, index) => [submission, outcomes[index]]));
  const watched: WatchedJob[] = [];
  let failure: Error | undefined;
  let failed = 0;
  for (const submission of submissions) {
    const outcome = outcomeOf.get(submission);
    if (outcomeOf.has(submission) && (!outcome || 'error' in outcome)) {
      failure ??= outcome?.error ?? new Error('no response from Pub/Sub');
      failed += 1;
      continue;
    }
    const messageId = outcome && 'messageId' in outcome ? outcome.messageId : undefined;
    writeOutcome(cli, submission, messageId);
    watched.push(watchedJob(submission, messageId));
  }
  if (failure) {
    const what = `${toPublish.length - failed} of ${plural(toPublish.length, 'message')} published`;
    throw publishFailure(failure, topic, config, what);
  }
  return watched;
}

/** A job that exists is published again only if that adds it to a batch. */
function isToPublish({ job: { batchId }, existing }: Submission): boolean {
  return existing.kind !== 'SAME' || (batchId !== undefined && !isOfBatch(existing.own, batchId));
}

function watchedJob({ file, job, existing }: Submission, messageId: string | undefined): WatchedJob {
  const { recordId, jobKey, contentHash } = job;
  const name = jobKey ?? file;
  return existing.kind === 'SAME'
    ? { recordId: existing.latest.id, name }
    : { recordId, contentHash, name, ...(messageId !== undefined && { messageId }) };
}

/** One line about a job. On a narrow terminal, the ID leaves its room to the key, which identifies the job as well. */
function jobLine(
  { terminal: { columns } }: Cli,
  outcome: string,
  { job, file, id }: { readonly job: Submission['job']; readonly file: string; readonly id: string },
  ...more: readonly string[]
): string {
  const line = (...named: readonly string[]) => [outcome, ...named, ...more].join('  ');
  const name = nameOf(job, file);
  const whole = line(name, id);
  if (whole.length <= columns) {
    return whole;
  }
  return job.jobKey === undefined ? line(id) : line(shorten(name, columns - line('').length));
}

function writeOutcome(cli: Cli, { file, job, existing }: Submission, messageId: string | undefined): void {
  const { recordId, jobKey, batchId } = job;
  if (existing.kind !== 'SAME') {
    if (cli.isQuiet) {
      cli.terminal.out(recordId);
    } else if (cli.json) {
      writeJson(cli, { outcome: 'PUBLISHED', recordId, messageId, jobKey, file });
    } else {
      cli.terminal.out(jobLine(cli, 'published    ', { job, file, id: recordId }));
    }
    return;
  }
  const { id, value } = existing.latest;
  if (cli.isQuiet) {
    cli.terminal.out(id);
    return;
  }
  if (cli.json) {
    writeJson(cli, { outcome: 'ALREADY_THERE', recordId: id, state: value.state, messageId, jobKey, file });
    return;
  }
  const line = jobLine(cli, 'already there', { job, file, id }, value.state);
  cli.terminal.out(paintState(cli.terminal, line, value.state));
  if (messageId !== undefined) {
    cli.terminal.out(`  It now counts for the batch ${printable(batchId ?? '')} too.`);
  }
  if (isTerminal(value) && value.state !== 'SUCCEEDED') {
    cli.terminal.out(`  To run it again: npx ee-video-exports retry ${jobKey ?? id}`);
  }
}

const nameOf = ({ jobKey }: Job, file: string): string => printable(jobKey ?? file);

/** Nothing was started, and the job has not succeeded: a script must not take this for success. */
const hasFailed = ({ existing }: Submission): boolean =>
  existing.kind === 'SAME' &&
  isTerminal(existing.latest.value) &&
  existing.latest.value.state !== 'SUCCEEDED';

async function writeDryRun(cli: Cli, job: Job, estimator: Estimator): Promise<void> {
  const { recordId, project, destination, shapeHash, extent } = job;
  const request = sentRequest(job.request, recordId);
  const estimate = await readEstimate(estimator, { project, shapeHash, count: 1, extents: [extent] });
  if (cli.json) {
    writeJson(cli, { recordId, project, destination, request, estimate: estimate.json });
    return;
  }
  cli.terminal.out(recordId);
  cli.terminal.out(JSON.stringify({ recordId, project, destination, request }, undefined, 2));
  for (const text of estimate.texts) {
    cli.terminal.out(`cost  ${text}`);
  }
}
