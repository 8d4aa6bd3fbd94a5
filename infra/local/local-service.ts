import { once } from 'node:events';

import type { Topics } from '../../shared/config.ts';
import { buildMain } from '../build.ts';
import { type Target, targetNames } from '../targets.ts';
import { byHand } from './by-hand.ts';
import { startEmbedded } from './embedded/embedded.ts';
import { EmulatorsUnavailableError } from './emulators.ts';
import { buildFolder } from './function-process.ts';
import type { Ports } from './ports.ts';
import { eventsSubscription, startStack, type Stack } from './stack.ts';

/** What `npm start` runs: the stack with Google's emulators, or the service in one process. */
export interface LocalService {
  /** The environment variables that lead to it. */
  readonly environment: Readonly<Record<string, string>>;
  readonly isEmbedded: boolean;
  /** What a user should know about how it runs: lines. */
  readonly notes: readonly string[];
  readonly topics: Topics;
  readonly pageUrl: string;
  /** The name and address of each part. */
  readonly endpoints: readonly (readonly [name: string, address: string])[];
  /** Resolves with the ID of the message. */
  publishManifest(manifest: string): Promise<string>;
  /** Reports events until the signal. */
  run(signal: AbortSignal): Promise<void>;
  stop(): Promise<void>;
}

export interface LocalOptions {
  readonly ports: Ports;
  /** Whether to run in one process, even if emulators are installed. */
  readonly isEmbedded: boolean;
  /** Variables of the service. */
  readonly settings: Readonly<Record<string, string>>;
  /** Receives each log line, and the function that wrote it. */
  readonly onLine: (target: Target | undefined, line: string) => void;
  /** Receives the attributes of each event. */
  readonly onEvent: (attributes: Readonly<Record<string, string>>) => void;
  readonly onProblem: (problem: Error) => void;
}

export async function startService(options: LocalOptions): Promise<LocalService> {
  if (options.isEmbedded) {
    return inOneProcess(options, []);
  }
  try {
    return await withEmulators(options);
  } catch (thrown) {
    if (!(thrown instanceof EmulatorsUnavailableError)) {
      throw thrown;
    }
    return inOneProcess(options, thrown.message.split('\n'));
  }
}

async function withEmulators(options: LocalOptions): Promise<LocalService> {
  const { ports, settings, onLine, onEvent, onProblem } = options;
  await buildMain(buildFolder);
  const stack = await startStack({ ports, settings, deliveries: [], onLine, onProblem });
  const { config, emulators, environment, functions, pubsub } = stack;
  return {
    environment,
    isEmbedded: false,
    notes: [],
    topics: config.topics,
    pageUrl: functions.showExports.url,
    endpoints: [
      ['Firestore emulator', emulators.firestoreHost],
      ['Pub/Sub emulator', emulators.pubsubHost],
      ...simulators(environment),
      ...targetNames.map((target) => [target, functions[target].url] as const),
    ],
    publishManifest: (manifest) => pubsub.publish(config.topics.batches, manifest),
    run: (signal) => pullEvents(stack, onEvent, signal),
    stop: () => stack.stop(),
  };
}

async function pullEvents(
  { pubsub, config }: Stack,
  onEvent: LocalOptions['onEvent'],
  signal: AbortSignal,
): Promise<void> {
  const subscription = eventsSubscription(config.topics);
  try {
    for (;;) {
      for (const { attributes } of await pubsub.pull(subscription, signal)) {
        onEvent(attributes);
      }
    }
  } catch (thrown) {
    if (!signal.aborted) {
      throw thrown;
    }
  }
}

async function inOneProcess(options: LocalOptions, why: readonly string[]): Promise<LocalService> {
  const { ports, settings, onLine, onEvent } = options;
  const embedded = await startEmbedded({
    settings,
    ports,
    onLine: (line) => onLine(undefined, line),
    onEvent,
  });
  const { environment, config, broker, pageUrl } = embedded;
  return {
    environment,
    isEmbedded: true,
    notes: [
      "It runs in one process, without Google's emulators: npm stop deletes its records, and only the command line",
      'and the page can reach it.',
      ...why,
    ],
    topics: config.topics,
    pageUrl,
    endpoints: [
      ['records and topics', environment['FIRESTORE_EMULATOR_HOST'] ?? ''],
      ...simulators(environment),
    ],
    async publishManifest(manifest) {
      const [outcome] = await broker.publish(
        config.topics.batches,
        [{ data: Buffer.from(manifest), attributes: {} }],
        0,
      );
      if (!outcome || 'error' in outcome) {
        throw outcome?.error ?? new Error('The manifest was not published');
      }
      return outcome.messageId;
    },
    async run(signal) {
      if (!signal.aborted) {
        await once(signal, 'abort');
      }
    },
    stop: () => embedded.stop(),
  };
}

const simulators = (environment: Readonly<Record<string, string>>): [string, string][] => [
  ['Earth Engine simulator', String(environment['EARTHENGINE_EMULATOR_HOST'])],
  ['Cloud Storage simulator', String(environment['STORAGE_EMULATOR_HOST'])],
];

/** @param stopWith what stops it */
export function describe(service: LocalService, stopWith: string): string {
  const { pageUrl, endpoints, notes } = service;
  return `
The service is running on this machine. Earth Engine is simulated. To stop it: ${stopWith}.

  Open ${pageUrl} in a browser to see what happens.

${[...endpoints, ...(service.isEmbedded ? [['showExports', pageUrl] as const] : [])]
  .map(([name, address]) => `  ${name.padEnd(23)}  ${address}`)
  .join('\n')}
${notes.length > 0 ? `\n${notes.join('\n')}\n` : ''}${warnAboutVariables(process.env)}
In any terminal, in this folder:

  npx ee-video-exports submit infra/local/examples/las-vegas-growth.json --watch
  npx ee-video-exports list
${service.isEmbedded ? '' : describeByHand(service.topics)}`;
}

function describeByHand(topics: Topics): string {
  const { exports, publish, publishWithCurl, read, readRejected } = byHand(topics);
  return `
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
