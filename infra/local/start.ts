import { join, resolve } from 'node:path';

import { environmentSchema } from '../../shared/config.ts';
import { asError, CodedError } from '../../shared/errors.ts';
import { buildMain } from '../build.ts';
import { targetNames } from '../targets.ts';
import { byHand } from './by-hand.ts';
import { runDetached } from './detach.ts';
import { EmulatorsUnavailableError } from './emulators.ts';
import { buildFolder } from './function-process.ts';
import { interruption } from './interrupt.ts';
import { findRunning, noteRunning, noteStopped } from './local-context.ts';
import { LocalError } from './local-error.ts';
import { readOptions } from './options.ts';
import { choosePorts } from './ports.ts';
import { publishOnSchedule } from './schedule.ts';
import { eventsSubscription, startStack, type Stack } from './stack.ts';

/*
 * `npm start` runs the whole service on this machine until Ctrl-C. The environment can set the service's settings, as in
 * `RETRY_MAX_SECONDS=1 npm start`.
 */

const usage = `usage: npm start [-- --detach] [--logs] [--schedule] [--cron="0 6 * * 1"]

  --detach    return when the service has started; npm stop ends it
  --logs      print every log line of the functions, not only warnings and errors
  --schedule  publish the example manifest at the times of --cron
  --cron      a cron expression of five fields, in UTC (default: every minute)`;
const { values: options } = readOptions(usage, {
  options: {
    detach: { type: 'boolean', default: false },
    logs: { type: 'boolean', default: false },
    schedule: { type: 'boolean', default: false },
    cron: { type: 'string', default: '* * * * *' },
  },
});

async function start(): Promise<void> {
  // Before anything starts, so that Ctrl-C during the start leaves nothing behind either.
  const interrupt = interruption();
  const crashed = Promise.withResolvers<never>();
  // A crash may happen before anything waits for it.
  crashed.promise.catch(() => {});

  console.log('Starting …');
  await buildMain(buildFolder);
  const { ports, taken } = await choosePorts();
  if (taken.length > 0) {
    console.log(`Another program uses the port ${taken.join(', ')}, so other ports are used instead.`);
  }
  const stack = await startStack({
    ports,
    settings: settingsOf(process.env),
    deliveries: [],
    onLine: (target, line) => {
      if (options.logs || isWarning(line)) {
        console.log(`${target}: ${line}`);
      }
    },
    onProblem: (problem) => (isCrash(problem) ? crashed.reject(problem) : console.error(explain(problem))),
  });
  const stopping = new AbortController();
  try {
    await noteRunning(process.env, {
      environment: stack.environment,
      pid: process.pid,
      folder: resolve(import.meta.dirname, '..', '..'),
    });
    console.log(`${describe(stack)}\nEvents of the service:\n`);
    // The process that detached this one prints it too.
    process.send?.({ started: describe(stack) });
    const signal = AbortSignal.any([interrupt, stopping.signal]);
    if (options.schedule) {
      schedule(stack, signal);
    }
    await Promise.race([crashed.promise, printEvents(stack, signal)]);
    console.log('\nStopping …');
  } finally {
    stopping.abort();
    await noteStopped(process.env, process.pid);
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

/** Prints a line for each event of the service, until the signal. */
async function printEvents({ pubsub, config }: Stack, signal: AbortSignal): Promise<void> {
  const subscription = eventsSubscription(config.topics);
  try {
    for (;;) {
      for (const { attributes } of await pubsub.pull(subscription, signal)) {
        const time = new Date().toLocaleTimeString('en-GB');
        const { kind = '', state = '', recordId, jobKey = '', batchId = '' } = attributes;
        const { delivery = '' } = attributes;
        const event =
          kind === 'STALLED' || kind === 'EXTRA_OPERATION'
            ? `${state}, ${kind}`
            : kind === 'DELIVERY'
              ? delivery
              : state;
        console.log(`${time}  ${event.padEnd(10)}  ${recordId ?? `batch ${batchId}`}  ${jobKey}`.trimEnd());
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
    ['Cloud Storage simulator', String(environment['STORAGE_EMULATOR_HOST'])],
    ...targetNames.map((target) => [target, functions[target].url] as const),
  ] as const;
  const { exports, publish, publishWithCurl, read, readRejected } = byHand(config.topics);
  return `
The service is running on this machine. Earth Engine is simulated. To stop it: ${process.send ? 'npm stop' : 'Ctrl-C, or npm stop'}.

  Open ${functions.showExports.url} in a browser to see what happens.

${endpoints.map(([name, address]) => `  ${name.padEnd(23)}  ${address}`).join('\n')}
${warnAboutVariables(process.env)}
In any terminal, in this folder:

  npx ee-video-exports submit infra/local/examples/las-vegas-growth.json --watch
  npx ee-video-exports list

For gcloud, curl, and your own programs:

${indent(exports)}

Publish a job, with or without the Google Cloud CLI:

${indent(publish)}

${indent(publishWithCurl)}

Read the records, and the rejected messages:

${indent(read)}

${indent(readRejected)}
`;
}

function warnAboutVariables(environment: Readonly<Record<string, string | undefined>>): string {
  return environment['GOOGLE_CLOUD_PROJECT']
    ? '\nGOOGLE_CLOUD_PROJECT is set. Where it is, the command line uses that project; add --context local.\n'
    : '';
}

const indent = (lines: readonly string[]): string => lines.map((line) => `  ${line}`).join('\n');

/** The service's settings in a shell's environment, except for the addresses of its parts, which the stack sets. */
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

/** The service's own errors explain themselves; any other error is a bug and needs its stack. */
function explain(thrown: unknown): string {
  const error = asError(thrown);
  return error instanceof CodedError ? error.message : (error.stack ?? error.message);
}

/** Another start would take over the context, and nothing could find the first one anymore. */
async function refuseSecond(): Promise<void> {
  const running = await findRunning(process.env);
  if (running) {
    throw new LocalError(
      'ALREADY_RUNNING',
      `The service is already running, started in ${running.folder} (process ${running.pid}). To stop it: npm stop`,
    );
  }
}

async function detach(): Promise<void> {
  const args = process.argv.slice(2).filter((argument) => argument !== '--detach');
  const { description, pid, logFile } = await runDetached(import.meta.filename, args);
  console.log(description);
  console.log(`It runs in the background as process ${pid}. Its log: ${logFile}`);
}

try {
  await refuseSecond();
  await (options.detach ? detach() : start());
} catch (thrown) {
  console.error(
    thrown instanceof EmulatorsUnavailableError
      ? `${thrown.message}\n\nWithout emulators, you can still run the demo, in one process: npm run demo`
      : explain(thrown),
  );
  process.exitCode = 1;
}
