import { join, resolve } from 'node:path';

import { environmentSchema } from '../../shared/config.ts';
import { asError, CodedError } from '../../shared/errors.ts';
import { runDetached } from './detach.ts';
import { interruption } from './interrupt.ts';
import { findRunning, noteRunning, noteStopped } from './local-context.ts';
import { LocalError } from './local-error.ts';
import { describe, type LocalService, startService } from './local-service.ts';
import { readOptions } from './options.ts';
import { choosePorts } from './ports.ts';
import { publishOnSchedule } from './schedule.ts';

/*
 * `npm start` runs the whole service on this machine until Ctrl-C. The environment can set the service's settings, as in
 * `RETRY_MAX_SECONDS=1 npm start`.
 */

const usage = `usage: npm start [-- --detach] [--embedded] [--logs] [--schedule] [--cron="0 6 * * 1"]

  --detach    return when the service has started; npm stop ends it
  --embedded  run in one process, even if Google's emulators are installed
  --logs      print every log line of the functions, not only warnings and errors
  --schedule  publish the example manifest at the times of --cron
  --cron      a cron expression of five fields, in UTC (default: every minute)`;
const { values: options } = readOptions(usage, {
  options: {
    detach: { type: 'boolean', default: false },
    embedded: { type: 'boolean', default: false },
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
  const { ports, taken } = await choosePorts();
  if (taken.length > 0) {
    console.log(`Another program uses the port ${taken.join(', ')}, so other ports are used instead.`);
  }
  const service = await startService({
    ports,
    isEmbedded: options.embedded,
    settings: settingsOf(process.env),
    onLine: (target, line) => {
      if (options.logs || isWarning(line)) {
        console.log(target === undefined ? line : `${target}: ${line}`);
      }
    },
    onEvent: printEvent,
    onProblem: (problem) => (isCrash(problem) ? crashed.reject(problem) : console.error(explain(problem))),
  });
  const stopping = new AbortController();
  const signal = AbortSignal.any([interrupt, stopping.signal]);
  try {
    await noteRunning(process.env, {
      environment: { ...service.environment },
      ...(service.isEmbedded && { embedded: true }),
      pid: process.pid,
      folder: resolve(import.meta.dirname, '..', '..'),
    });
    const description = describe(service, process.send === undefined ? 'Ctrl-C, or npm stop' : 'npm stop');
    console.log(`${description}\nEvents of the service:\n`);
    // The process that detached this one prints it too.
    process.send?.({ started: description });
    if (options.schedule) {
      schedule(service, signal);
    }
    await Promise.race([crashed.promise, service.run(signal)]);
    console.log('\nStopping …');
  } finally {
    stopping.abort();
    await noteStopped(process.env, process.pid);
    await service.stop();
  }
  console.log('Everything is stopped.');
}

function schedule(service: LocalService, signal: AbortSignal): void {
  const next = publishOnSchedule({
    cron: options.cron,
    manifestPath: join(import.meta.dirname, 'examples', 'annual-timelapses-manifest.json'),
    publish: async (manifest) => {
      const messageId = await service.publishManifest(manifest);
      console.log(`Published annual-timelapses-manifest.json as message ${messageId}.`);
    },
    signal,
    onProblem: (problem) => console.error(explain(problem)),
  });
  console.log(`Next batch: ${next?.toISOString() ?? 'never'} (${options.cron}, UTC)\n`);
}

function printEvent(attributes: Readonly<Record<string, string>>): void {
  const time = new Date().toLocaleTimeString('en-GB');
  const { kind = '', state = '', recordId, jobKey = '', batchId = '', delivery = '' } = attributes;
  const event =
    kind === 'STALLED' || kind === 'EXTRA_OPERATION'
      ? `${state}, ${kind}`
      : kind === 'DELIVERY'
        ? delivery
        : state;
  console.log(`${time}  ${event.padEnd(10)}  ${recordId ?? `batch ${batchId}`}  ${jobKey}`.trimEnd());
}

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
  console.error(explain(thrown));
  process.exitCode = 1;
}
