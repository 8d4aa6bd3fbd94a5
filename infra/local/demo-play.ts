import { glob, readFile } from 'node:fs/promises';
import { basename, join } from 'node:path';

import type { Cli } from '../../cli/cli.ts';
import { fit, table, wrap } from '../../cli/screen.ts';
import type { Terminal } from '../../cli/terminal.ts';
import { nameOf } from '../../cli/text.ts';
import { type JobStatus, watchingJobs, type WatchedJob } from '../../cli/watch/jobs.ts';
import { SECOND_MS } from '../../shared/clock.ts';
import { LocalError } from './local-error.ts';
import { jobRules, parseJobMessage } from '../../shared/message/job-message.ts';
import type { ExportRecord } from '../../shared/model/record.ts';
import type { RejectedMessage } from '../../shared/model/rejected-message.ts';
import type { Query } from '../../shared/store/queries.ts';
import { isReadable, type Documents, type Stored } from '../../shared/store/store.ts';
import type { Stage } from './demo-stage.ts';
import { saveVideos, videoLines } from './demo-videos.ts';
import type { TrueOperation } from './simulator/index.ts';

/** How often the live view is drawn. */
const LOOK_EVERY_MS = 250;
/** The jobs take about six seconds; a busy machine needs more. */
const TIME_LIMIT_MS = 60 * SECOND_MS;

export const notInstalled = "Google's emulators are not installed (npm start shows how to install them)";

type Rejected = Stored<RejectedMessage>;
type Exported = Stored<ExportRecord>;

/**
 * Publishes the example jobs, one of them twice, and one message with mistakes. Shows the jobs until all have ended, then
 * prints what Firestore, Earth Engine, and Cloud Storage have of them, and downloads the videos.
 *
 * @param problems what the stage reports meanwhile; any problem ends the demo
 * @throws LocalError if the records differ from what Earth Engine did
 */
export async function playDemo(
  stage: Stage,
  terminal: Terminal,
  problems: readonly Error[],
  signal: AbortSignal,
): Promise<void> {
  print(terminal, ...wrap(stage.description, '  '), '');
  const examples = await readExamples();
  const [first] = examples;
  if (!first) {
    throw new LocalError('DEMO_FAILED', 'infra/local/examples has no job');
  }
  await Promise.all([...examples, first, withMistakes(first)].map(({ data }) => stage.publish(data)));
  print(
    terminal,
    `Published ${examples.length} jobs from infra/local/examples, one of them twice, and a message`,
    'with two mistakes. The jobs, as ee-video-exports watch shows them:',
    '',
  );
  const jobs = examples.map((example) => watchedJob(stage, example));
  const rejected = await watchUntilEnded(stage, jobs, terminal, problems, signal);
  const records = (await readAll(stage.store.records)).sort((a, b) =>
    nameOf(a.id, a.value).localeCompare(nameOf(b.id, b.value)),
  );
  const operations = stage.simulator.operations();
  printRecords(terminal, records);
  printRejected(terminal, rejected);
  printOperations(terminal, operations, stage.simulator.counters().calls.export, records);
  check(examples.length, records, rejected, operations);
  const videos = await saveVideos(await stage.cloudStorage(), records, stage.videoFolder);
  print(terminal, '', 'Cloud Storage:', '', ...videoLines(videos));
}

export const printStart = (terminal: Terminal): void =>
  print(terminal, 'Video exports, from message to video. Starting …', '');

/** What follows if nothing went wrong, after everything has stopped. */
export const printEnd = (terminal: Terminal, ms: number): void =>
  print(
    terminal,
    '',
    `All checks passed in ${(ms / SECOND_MS).toFixed(1)} s, and everything is stopped. Next:`,
    'npm start, which prints the address of a page that shows exports in a browser.',
  );

const print = (terminal: Terminal, ...lines: readonly string[]): void => terminal.out(lines.join('\n'));

interface Example {
  readonly file: string;
  readonly data: string;
}

/** The job messages among the examples. */
async function readExamples(): Promise<Example[]> {
  const folder = join(import.meta.dirname, 'examples');
  const examples: Example[] = [];
  for await (const file of glob('*.json', { cwd: folder })) {
    const data = await readFile(join(folder, file), 'utf8');
    if ('request' in (JSON.parse(data) as object)) {
      examples.push({ file, data });
    }
  }
  return examples.sort((a, b) => a.file.localeCompare(b.file));
}

/** The same job with typical mistakes, which the service reports together. */
function withMistakes({ data }: Example): Example {
  const job = JSON.parse(data) as { request: object };
  const request = { ...job.request, videoOptions: { framesPerSecond: 500 } };
  return { file: 'mistakes', data: JSON.stringify({ ...job, jobkey: 'examples/oops', request }) };
}

function watchedJob({ config }: Stage, { file, data }: Example): WatchedJob {
  const reading = parseJobMessage(JSON.parse(data), jobRules(config));
  if (!('job' in reading)) {
    throw new LocalError('DEMO_FAILED', `infra/local/examples/${file} is not a valid job`);
  }
  const { recordId, jobKey } = reading.job;
  return { recordId, name: jobKey ?? basename(file, '.json') };
}

/** Shows the jobs until all have ended and the rejected message is recorded. */
async function watchUntilEnded(
  stage: Stage,
  jobs: readonly WatchedJob[],
  terminal: Terminal,
  problems: readonly Error[],
  signal: AbortSignal,
): Promise<readonly Rejected[]> {
  const { clock, store } = stage;
  const deadlineMs = clock.now().getTime() + TIME_LIMIT_MS;
  const watching = watchingJobs(watchingCli(stage, terminal, signal), jobs);
  for (;;) {
    const statuses = await watching.read();
    watching.view.show(statuses, false);
    const rejected = await readAll(store.rejectedMessages);
    if (watching.endOf(statuses) && statuses.every(isDelivered) && rejected.length > 0) {
      return rejected;
    }
    if (problems.length > 0) {
      throw new LocalError('DEMO_FAILED', 'The demo gave up.');
    }
    if (clock.now().getTime() > deadlineMs) {
      const ended = statuses.filter(({ hasEnded }) => hasEnded).length;
      throw new LocalError(
        'DEMO_FAILED',
        `${ended} of ${jobs.length} jobs ended within ${TIME_LIMIT_MS / SECOND_MS} s.`,
      );
    }
    await clock.sleep(LOOK_EVERY_MS, signal);
  }
}

const isDelivered = ({ record }: JobStatus): boolean =>
  record?.state !== 'SUCCEEDED' || record.delivery?.state !== 'PENDING';

/** As much of the command line as watching needs. Plain lines are cut: the report below them has the addresses. */
function watchingCli({ clock, config, store }: Stage, terminal: Terminal, interrupted: AbortSignal): Cli {
  const unused = () => Promise.reject(new Error('the demo does not use this'));
  const out = (text: string) => terminal.out(terminal.isInteractive ? text : fit(text));
  return {
    terminal: { ...terminal, out },
    clock,
    interrupted,
    environment: {},
    format: 'table',
    json: false,
    isQuiet: false,
    confirm: undefined,
    service: unused,
    config: async () => config,
    serviceConfig: async () => config,
    store: async () => store,
    publisher: unused,
    keptMessages: unused,
    storage: unused,
    topicAccess: unused,
    services: unused,
    readStdin: unused,
    close: unused,
  };
}

const everything: Query = { where: [], orderBy: [] };

async function readAll<T>(documents: Documents<T>): Promise<Stored<T>[]> {
  return (await documents.find(everything, { limit: 100 })).map((found) => {
    if (!isReadable(found)) {
      throw found.unreadable;
    }
    return found;
  });
}

function printRecords(terminal: Terminal, records: readonly Exported[]): void {
  const rows = records.map(({ id, value }) => [
    nameOf(id, value),
    value.state,
    'operation' in value ? lastPart(value.operation) : '',
  ]);
  const [head = '', ...lines] = table([['JOB', 'STATE', 'OPERATION, AND ITS OUTPUT'], ...rows]);
  print(terminal, '', 'Firestore, collection videoExports:', '', head);
  for (const [index, { value }] of records.entries()) {
    const outputs = value.state === 'SUCCEEDED' ? value.outputUris : [];
    print(terminal, lines[index] ?? '', ...outputs.map((uri) => `  ${uri}`));
  }
}

function printRejected(terminal: Terminal, rejected: readonly Rejected[]): void {
  print(terminal, '', 'Firestore, collection rejectedMessages:', '');
  for (const { id, value } of rejected) {
    const issues = value.issues.flatMap(({ path, message }) => wrap(`${path}: ${message}`, '    '));
    print(terminal, `  message ${id}: ${value.reason}`, ...issues);
  }
}

function printOperations(
  terminal: Terminal,
  operations: readonly TrueOperation[],
  calls: number,
  records: readonly Exported[],
): void {
  const named = new Set(records.map(({ value }) => ('operation' in value ? value.operation : undefined)));
  const rows = operations.map(({ name, requestId }) => [
    lastPart(name),
    requestId ?? '',
    named.has(name) ? 'yes' : 'NO',
  ]);
  print(
    terminal,
    '',
    `Earth Engine: ${operations.length} operations for ${records.length} jobs, started by ${calls} calls.`,
    '',
    ...table([['OPERATION', 'STARTED FOR REQUEST ID', 'IN ITS RECORD'], ...rows]),
  );
}

const lastPart = (name: string | undefined): string => name?.split('/').at(-1) ?? '';

/** @throws LocalError that names every difference */
function check(
  jobs: number,
  records: readonly Exported[],
  rejected: readonly Rejected[],
  operations: readonly TrueOperation[],
): void {
  const differences = [
    records.length === jobs ? undefined : `${records.length} records for ${jobs} jobs`,
    rejected.length === 1 ? undefined : `${rejected.length} rejected messages instead of 1`,
    operations.length === jobs ? undefined : `${operations.length} operations for ${jobs} jobs`,
    ...records.map(({ id, value }) => {
      const own = operations.filter(({ requestId }) => requestId === value.requestId);
      if (own.length !== 1) {
        return `${nameOf(id, value)} has ${own.length} operations`;
      }
      if (value.state !== 'SUCCEEDED') {
        return `${nameOf(id, value)} ended ${value.state}`;
      }
      if (value.operation !== own[0]?.name) {
        return `${nameOf(id, value)} names another operation`;
      }
      return value.outputUris.length > 0 ? undefined : `${nameOf(id, value)} has no output`;
    }),
  ].filter((difference) => difference !== undefined);
  if (differences.length > 0) {
    throw new LocalError('DEMO_FAILED', differences.join('; '));
  }
}
