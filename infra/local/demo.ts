import { glob, readFile } from 'node:fs/promises';
import { basename, join } from 'node:path';
import { setTimeout as wait } from 'node:timers/promises';

import { SECOND_MS } from '../../shared/clock.ts';
import { asError } from '../../shared/errors.ts';
import type { RejectedMessage } from '../../shared/model/rejected-message.ts';
import { isTerminal } from '../../shared/model/record.ts';
import type { Query } from '../../shared/store/queries.ts';
import { isReadable, type Documents, type Stored } from '../../shared/store/store.ts';
import { embeddedStage, stackStage, type Stage } from './demo-stage.ts';
import { createLiveView, nameOf, type Shown } from './demo-view.ts';
import { EmulatorsUnavailableError } from './emulators.ts';
import { interruption } from './interrupt.ts';
import { LocalError } from './local-error.ts';
import { readOptions } from './options.ts';
import { table, wrap } from '../../cli/screen.ts';
import type { TrueOperation } from './simulator/index.ts';

/*
 * `npm run demo`: the example jobs, one of them published twice and one message that is no job, through the whole service
 * to their ends; then the records beside what the simulated Earth Engine truly did. Exits with 0 only if they agree.
 * `npm run demo -- --embedded` does without emulators also where they are installed.
 */

const usage = `usage: npm run demo [-- --embedded]

  --embedded  in one process, without emulators, also where they are installed`;
const { values: options } = readOptions(usage, {
  options: { embedded: { type: 'boolean', default: false } },
});

const LOOK_EVERY_MS = 250;
/** It takes ten to fifteen; a machine that is busy with other things gets more. */
const TIME_LIMIT_MS = 60 * SECOND_MS;

/** Short renders, two at once: one job is seen waiting for a place. */
const simulator = { pendingMs: 500, startsPerSecond: 2, concurrency: 2, runMs: [2000, 3000] } as const;

const everything: Query = { where: [], orderBy: [] };
const say = (...lines: readonly string[]): void => console.log(lines.join('\n'));

async function main(): Promise<void> {
  const startedAt = Date.now();
  const problems: Error[] = [];
  const onProblem = (problem: Error): void => void problems.push(problem);
  const interrupt = interruption();
  try {
    say('Video exports, from message to render. Starting …', '');
    const stage = await setUp(onProblem);
    try {
      say(...wrap(stage.description, '  '), '');
      await play(stage, problems, interrupt, startedAt + TIME_LIMIT_MS);
    } finally {
      await stage.stop();
    }
  } catch (thrown) {
    onProblem(interrupt.aborted ? asError(interrupt.reason) : asError(thrown));
  }
  if (problems.length > 0) {
    say('', 'Not as it must be:', ...problems.map(({ message }) => `  ${message}`));
    process.exitCode = 1;
    return;
  }
  const seconds = ((Date.now() - startedAt) / SECOND_MS).toFixed(1);
  say('', `Everything is as it must be, and stopped, after ${seconds} s. Next: npm start.`);
}

async function setUp(onProblem: (problem: Error) => void): Promise<Stage> {
  if (options.embedded) {
    return embeddedStage({ simulator, onProblem, because: 'you asked for it' });
  }
  try {
    return await stackStage({ simulator, onProblem });
  } catch (thrown) {
    if (!(thrown instanceof EmulatorsUnavailableError)) {
      throw thrown;
    }
    return embeddedStage({
      simulator,
      onProblem,
      because: "Google's emulators are not installed (npm start says how to)",
    });
  }
}

async function play(
  stage: Stage,
  problems: readonly Error[],
  signal: AbortSignal,
  deadlineMs: number,
): Promise<void> {
  const examples = await readExamples();
  const [first] = examples;
  if (!first) {
    throw new LocalError('DEMO_FAILED', 'infra/local/examples holds no job');
  }
  await Promise.all([...examples, first, withMistakes(first)].map(({ data }) => stage.publish(data)));
  say(
    `Published ${examples.length} jobs (infra/local/examples), ${first.name} twice,`,
    'and a message with two mistakes in it. What happens:',
    '',
  );
  const { records, rejected } = await untilSettled(stage, examples.length, problems, signal, deadlineMs);
  tellRecords(records);
  tellRejected(rejected);
  const operations = stage.simulator.operations();
  tellOperations(operations, stage.simulator.counters().calls.export, records);
  check(examples.length, records, rejected, operations);
}

interface Example {
  readonly name: string;
  readonly data: string;
}

/** The job messages among the examples. */
async function readExamples(): Promise<Example[]> {
  const folder = join(import.meta.dirname, 'examples');
  const examples: Example[] = [];
  for await (const file of glob('*.json', { cwd: folder })) {
    const data = await readFile(join(folder, file), 'utf8');
    if ('request' in (JSON.parse(data) as object)) {
      examples.push({ name: basename(file, '.json'), data });
    }
  }
  return examples.sort((a, b) => a.name.localeCompare(b.name));
}

/** The same job as somebody might get it wrong: all mistakes are answered together. */
function withMistakes({ data }: Example): Example {
  const job = JSON.parse(data) as { request: object };
  const request = { ...job.request, videoOptions: { framesPerSecond: 500 } };
  return { name: 'mistakes', data: JSON.stringify({ ...job, jobkey: 'examples/oops', request }) };
}

interface Settled {
  readonly records: readonly Shown[];
  readonly rejected: readonly Stored<RejectedMessage>[];
}

/** Shows how the jobs move until every one has ended and the rejected message is recorded. */
async function untilSettled(
  { store }: Stage,
  jobs: number,
  problems: readonly Error[],
  signal: AbortSignal,
  deadlineMs: number,
): Promise<Settled> {
  const view = createLiveView(process.stdout);
  for (;;) {
    const records = (await readAll(store.records))
      .map(({ id, value }) => ({ id, record: value }))
      .sort((a, b) => nameOf(a.id, a.record).localeCompare(nameOf(b.id, b.record)));
    view.show(records);
    const rejected = await readAll(store.rejectedMessages);
    const ended = records.filter(({ record }) => isTerminal(record)).length;
    if (ended >= jobs && rejected.length > 0) {
      return { records, rejected };
    }
    if (problems.length > 0) {
      throw new LocalError('DEMO_FAILED', 'The demo gave up.');
    }
    if (Date.now() > deadlineMs) {
      throw new LocalError(
        'DEMO_FAILED',
        `${ended} of ${jobs} jobs ended within ${TIME_LIMIT_MS / SECOND_MS} s.`,
      );
    }
    await wait(LOOK_EVERY_MS, undefined, { signal });
  }
}

async function readAll<T>(documents: Documents<T>): Promise<Stored<T>[]> {
  return (await documents.find(everything, { limit: 100 })).map((found) => {
    if (!isReadable(found)) {
      throw found.unreadable;
    }
    return found;
  });
}

function tellRecords(records: readonly Shown[]): void {
  const rows = records.map(({ id, record }) => [
    nameOf(id, record),
    record.state,
    'operation' in record ? lastPart(record.operation) : '',
  ]);
  const [head = '', ...lines] = table([['JOB', 'STATE', 'OPERATION, AND ITS OUTPUT'], ...rows]);
  say('', 'Firestore, collection videoExports:', '', head);
  for (const [index, { record }] of records.entries()) {
    say(
      lines[index] ?? '',
      ...(record.state === 'SUCCEEDED' ? record.outputUris.map((uri) => `  ${uri}`) : []),
    );
  }
}

function tellRejected(rejected: readonly Stored<RejectedMessage>[]): void {
  say('', 'Firestore, collection rejectedMessages:', '');
  for (const { id, value } of rejected) {
    say(`  message ${id}: ${value.reason}`);
    for (const { path, message } of value.issues) {
      say(...wrap(`${path}: ${message}`, '    '));
    }
  }
}

function tellOperations(
  operations: readonly TrueOperation[],
  calls: number,
  records: readonly Shown[],
): void {
  const named = new Set(records.map(({ record }) => ('operation' in record ? record.operation : undefined)));
  const rows = operations.map(({ name, requestId }) => [
    lastPart(name),
    requestId ?? '',
    named.has(name) ? 'yes' : 'NO',
  ]);
  say(
    '',
    `Earth Engine, by its own account: ${operations.length} operations for ${records.length} jobs, in ${calls} calls.`,
    '',
    ...table([['OPERATION', 'STARTED FOR REQUEST ID', 'IN ITS RECORD'], ...rows]),
  );
}

const lastPart = (name: string | undefined): string => name?.split('/').at(-1) ?? '';

/** @throws LocalError naming what differs from what must be */
function check(
  jobs: number,
  records: readonly Shown[],
  rejected: readonly unknown[],
  operations: readonly TrueOperation[],
): void {
  const differences = [
    records.length === jobs ? undefined : `${records.length} records for ${jobs} jobs`,
    rejected.length === 1 ? undefined : `${rejected.length} rejected messages instead of 1`,
    operations.length === jobs ? undefined : `${operations.length} operations for ${jobs} jobs`,
    ...records.map(({ id, record }) => {
      const own = operations.filter(({ requestId }) => requestId === record.requestId);
      if (own.length !== 1) {
        return `${nameOf(id, record)} has ${own.length} operations`;
      }
      if (record.state !== 'SUCCEEDED') {
        return `${nameOf(id, record)} ended ${record.state}`;
      }
      if (record.operation !== own[0]?.name) {
        return `${nameOf(id, record)} names another operation`;
      }
      return record.outputUris.length > 0 ? undefined : `${nameOf(id, record)} has no output`;
    }),
  ].filter((difference) => difference !== undefined);
  if (differences.length > 0) {
    throw new LocalError('DEMO_FAILED', differences.join('; '));
  }
}

await main();
