import { join } from 'node:path';

import { environmentSchema } from '../../shared/config.ts';
import { asError, CodedError } from '../../shared/errors.ts';
import { buildMain } from '../build.ts';
import { targetNames } from '../targets.ts';
import { byHand } from './by-hand.ts';
import { EmulatorsUnavailableError } from './emulators.ts';
import { buildFolder } from './function-process.ts';
import { interruption } from './interrupt.ts';
import { LocalError } from './local-error.ts';
import { readOptions } from './options.ts';
import { publishOnSchedule } from './schedule.ts';
import { eventsSubscription, startStack, type Stack } from './stack.ts';

/*
 * `npm start`: the whole service on this machine, until Ctrl-C. `npm start -- --logs` shows every log line of the
 * functions, not only warnings and errors. `npm start -- --schedule --cron="0 6 * * 1"` publishes the manifest among the
 * examples at these times (each minute without --cron), as Cloud Scheduler would. Settings of the service in the
 * environment (RETRY_MAX_SECONDS=1 npm start) count.
 */

const usage = `usage: npm start [-- --logs] [--schedule] [--cron="0 6 * * 1"]

  --logs      every log line of the functions, not only warnings and errors
  --schedule  publish the example manifest at the times of --cron
  --cron      five fields, in UTC (default: each minute)`;
const { values: options } = readOptions(usage, {
  options: {
    logs: { type: 'boolean', default: false },
    schedule: { type: 'boolean', default: false },
    cron: { type: 'string', default: '* * * * *' },
  },
});

async function start(): Promise<void> {
  // Heard from the first moment, so that Ctrl-C while it starts leaves nothing behind either.
  const interrupt = interruption();
  const crashed = Promise.withResolvers<never>();
  // It may come before anybody waits for it.
  crashed.promise.catch(() => {});

  console.log('Starting …');
  await buildMain(buildFolder);
  const stack = await startStack({
    settings: settingsOf(process.env),
    onLine: (target, line) => {
      if (options.logs || isWarning(line)) {
        console.log(`${target}: ${line}`);
      }
    },
    onProblem: (problem) => (isCrash(problem) ? crashed.reject(problem) : console.error(explain(problem))),
  });
  const stopping = new AbortController();
  try {
    console.log(describe(stack));
    const signal = AbortSignal.any([interrupt, stopping.signal]);
    if (options.schedule) {
      schedule(stack, signal);
    }
    await Promise.race([crashed.promise, tellEvents(stack, signal)]);
    console.log('\nStopping …');
  } finally {
    stopping.abort();
    await stack.stop();
  }
  console.log('Everything is stopped.');
}

function schedule({ pubsub, config }: Stack, signal: AbortSignal): void {
  const next = publishOnSchedule({
    cron: options.cron,
    manifestPath: join(import.meta.dirname, 'examples', 'annual-timelapses-manifest.json'),
    publish: async (manifest) => {
      const messageId = await pubsub.publish(config.topics.batches, manifest);
      console.log(`Published annual-timelapses-manifest.json as message ${messageId}.`);
    },
    signal,
    onProblem: (problem) => console.error(explain(problem)),
  });
  console.log(`Next batch: ${next?.toISOString() ?? 'never'} (${options.cron}, UTC)\n`);
}

/** One line for each change that the service tells of, until the signal. */
async function tellEvents({ pubsub, config }: Stack, signal: AbortSignal): Promise<void> {
  const subscription = eventsSubscription(config.topics);
  try {
    for (;;) {
      for (const { attributes } of await pubsub.pull(subscription, signal)) {
        const time = new Date().toLocaleTimeString('en-GB');
        const { kind = '', state = '', recordId, jobKey = '', batchId = '' } = attributes;
        const news = kind === 'STALLED' || kind === 'EXTRA_OPERATION' ? `${state}, ${kind}` : state;
        console.log(`${time}  ${news.padEnd(10)}  ${recordId ?? `batch ${batchId}`}  ${jobKey}`.trimEnd());
      }
    }
  } catch (thrown) {
    if (!signal.aborted) {
      throw thrown;
    }
  }
}

function describe({ emulators, environment, functions, config }: Stack): string {
  const endpoints = [
    ['Firestore emulator', emulators.firestoreHost],
    ['Pub/Sub emulator', emulators.pubsubHost],
    ['Earth Engine simulator', String(environment['EARTHENGINE_EMULATOR_HOST'])],
    ...targetNames.map((target) => [target, functions[target].url] as const),
  ] as const;
  const { exports, publish, publishWithCurl, read, readRejected } = byHand(environment, config.topics);
  return `
The service runs on this machine; Earth Engine is simulated. Ctrl-C stops it.

${endpoints.map(([name, address]) => `  ${name.padEnd(22)}  ${address}`).join('\n')}

In another terminal, in this folder:

${indent(exports)}

Publish a job, with the Google Cloud CLI or without:

${indent(publish)}

${indent(publishWithCurl)}

Read the records, and the messages that were refused:

${indent(read)}

${indent(readRejected)}

What happens, as the event topic tells it:
`;
}

const indent = (lines: readonly string[]): string => lines.map((line) => `  ${line}`).join('\n');

/** The settings of the service among the variables of a shell; where its parts are is ours to say. */
function settingsOf(environment: Readonly<Record<string, string | undefined>>): Record<string, string> {
  const names = Object.keys(environmentSchema.shape).filter(
    (name) => name !== 'GOOGLE_CLOUD_PROJECT' && name !== 'EARTHENGINE_API_URL' && !name.endsWith('_HOST'),
  );
  return Object.fromEntries(
    names.flatMap((name) => {
      const value = environment[name];
      return value ? [[name, value]] : [];
    }),
  );
}

function isWarning(line: string): boolean {
  return !line.startsWith('{') || /"severity":"(?:WARNING|ERROR)"/.test(line);
}

function isCrash(problem: Error): boolean {
  return problem instanceof LocalError && problem.code === 'FUNCTION_CRASHED';
}

/** What a person needs to know: our own errors say it themselves, others are bugs and show where. */
function explain(thrown: unknown): string {
  const error = asError(thrown);
  return error instanceof CodedError ? error.message : (error.stack ?? error.message);
}

try {
  await start();
} catch (thrown) {
  console.error(
    thrown instanceof EmulatorsUnavailableError
      ? `${thrown.message}\n\nWithout them, npm run demo still shows the service at work, embedded in one process.`
      : explain(thrown),
  );
  process.exitCode = 1;
}
