import { spawn, type ChildProcessByStdio } from 'node:child_process';
import { once } from 'node:events';
import { access, constants, glob, realpath } from 'node:fs/promises';
import { homedir, tmpdir } from 'node:os';
import { delimiter, dirname, join } from 'node:path';
import type { Readable, Writable } from 'node:stream';
import { setTimeout as wait } from 'node:timers/promises';

import { LocalError } from './local-error.ts';
import { freePort, type Ports } from './ports.ts';

/** Google's emulators are not installed. The message explains how to install them, or how to use others. */
export class EmulatorsUnavailableError extends LocalError {
  override readonly name = 'EmulatorsUnavailableError';

  constructor(missing: string) {
    super(
      'EMULATORS_UNAVAILABLE',
      [
        `Google's emulators cannot start: ${missing}. Install them with one of these commands:`,
        '  gcloud components install cloud-firestore-emulator pubsub-emulator',
        '  sudo apt-get install google-cloud-cli-firestore-emulator google-cloud-cli-pubsub-emulator default-jre-headless',
        'They need Java 11 or later on PATH: https://adoptium.net. To use emulators that are already running, set',
        'FIRESTORE_EMULATOR_HOST and PUBSUB_EMULATOR_HOST to their host:port.',
      ].join('\n'),
    );
  }
}

export interface Emulators {
  /** host:port */
  readonly firestoreHost: string;
  /** host:port */
  readonly pubsubHost: string;
  /** The environment variables that a process needs to use them. */
  readonly environment: Readonly<Record<string, string>>;
  /** Stops the emulators that were started here, and resolves when their processes are gone. */
  stop(): Promise<void>;
}

interface Emulator {
  readonly name: string;
  readonly portName: 'firestore' | 'pubsub';
  /** Its path below the root of a Google Cloud CLI. Pub/Sub's file name contains the version. */
  readonly jar: string;
  readonly javaArguments: (jar: string) => string[];
}

const firestore: Emulator = {
  name: 'Firestore emulator',
  portName: 'firestore',
  jar: 'platform/cloud-firestore-emulator/cloud-firestore-emulator.jar',
  // The jar's own main class never listens; this is the class that the CLI starts. It supports only English.
  javaArguments: (jar) => [
    '-Duser.language=en',
    '-cp',
    jar,
    'com.google.cloud.datastore.emulator.firestore.CloudFirestore',
    'start',
  ],
};

const pubsub: Emulator = {
  name: 'Pub/Sub emulator',
  portName: 'pubsub',
  jar: 'platform/pubsub-emulator/lib/cloud-pubsub-emulator-*-all.jar',
  javaArguments: (jar) => ['-jar', jar],
};

/** Returns why `startEmulators` cannot work here, if it cannot: what is missing, as in EmulatorsUnavailableError. */
export async function emulatorsObstacle(
  environment: Readonly<Record<string, string | undefined>> = process.env,
): Promise<string | undefined> {
  for (const [emulator, given] of [
    [firestore, environment['FIRESTORE_EMULATOR_HOST']],
    [pubsub, environment['PUBSUB_EMULATOR_HOST']],
  ] as const) {
    const located = given ? undefined : await locate(emulator, environment);
    if (typeof located === 'string') {
      return located;
    }
  }
  return undefined;
}

/**
 * Google's Firestore and Pub/Sub emulators: those that FIRESTORE_EMULATOR_HOST and PUBSUB_EMULATOR_HOST name, or those of
 * an installed Google Cloud CLI, on free ports. Their jars run directly: `gcloud` takes a second to start, and adds a Python
 * process between this process and the one to stop.
 *
 * @throws EmulatorsUnavailableError if they are neither running nor installed
 */
export async function startEmulators({
  projectId,
  ports,
  environment = process.env,
}: {
  readonly projectId: string;
  /** Default: free ones. */
  readonly ports?: Pick<Ports, 'firestore' | 'pubsub'> | undefined;
  readonly environment?: Readonly<Record<string, string | undefined>>;
}): Promise<Emulators> {
  const given = [environment['FIRESTORE_EMULATOR_HOST'], environment['PUBSUB_EMULATOR_HOST']];
  const results = await Promise.allSettled(
    [firestore, pubsub].map(async (emulator, index) => {
      const host = given[index];
      const port = ports?.[emulator.portName] ?? (await freePort());
      return host ? { host, stop: async () => {} } : await start(emulator, port, environment);
    }),
  );
  const running = results.flatMap((result) => (result.status === 'fulfilled' ? [result.value] : []));
  const stop = async () => {
    await Promise.all(running.map((emulator) => emulator.stop()));
  };
  const failure = results.find((result) => result.status === 'rejected');
  const [firestoreHost, pubsubHost] = running.map(({ host }) => host);
  if (failure || !firestoreHost || !pubsubHost) {
    await stop();
    throw failure?.reason;
  }
  return {
    firestoreHost,
    pubsubHost,
    environment: {
      FIRESTORE_EMULATOR_HOST: firestoreHost,
      PUBSUB_EMULATOR_HOST: pubsubHost,
      GOOGLE_CLOUD_PROJECT: projectId,
      // Without this variable, Google's clients look for a metadata server for several seconds.
      METADATA_SERVER_DETECTION: 'none',
    },
    stop,
  };
}

const READY_TIMEOUT_MS = 30_000;
const READY_POLL_MS = 25;
const STOP_TIMEOUT_MS = 2_000;

/**
 * Runs its arguments until standard input ends. It ends when this process stops them, and also when this process dies, even
 * by SIGKILL: a Java process that outlives its parent would hold its port and 150 MB forever.
 */
const UNTIL_STDIN_ENDS = `
exec 3<&0
"$@" 3<&- </dev/null &
child=$!
{ while read -r _ <&3; do :; done; kill -9 $child 2>/dev/null; } &
watcher=$!
wait $child
status=$?
kill $watcher 2>/dev/null
exit $status`;

interface Running {
  readonly host: string;
  stop(): Promise<void>;
}

async function start(
  emulator: Emulator,
  port: number,
  environment: Readonly<Record<string, string | undefined>>,
): Promise<Running> {
  const located = await locate(emulator, environment);
  if (typeof located === 'string') {
    throw new EmulatorsUnavailableError(located);
  }
  const { java, jar } = located;
  const child = spawn(
    '/bin/sh',
    // The serial collector starts faster and needs less memory, and the first compiler alone takes a third off the start.
    [
      '-c',
      UNTIL_STDIN_ENDS,
      'sh',
      java,
      '-XX:+UseSerialGC',
      '-XX:TieredStopAtLevel=1',
      ...emulator.javaArguments(jar),
      '--host=127.0.0.1',
      `--port=${port}`,
    ],
    // In a separate process group: Ctrl-C in a terminal must reach the service first, which still writes to them.
    { cwd: tmpdir(), stdio: ['pipe', 'pipe', 'pipe'], detached: true },
  );
  const output = keepEnd(child);
  const stop = async () => {
    if (child.exitCode !== null || child.signalCode !== null) {
      return;
    }
    const exited = once(child, 'exit');
    child.stdin.end();
    const late = setTimeout(() => killGroup(child.pid), STOP_TIMEOUT_MS);
    await exited;
    clearTimeout(late);
  };
  try {
    await untilReady(port, child);
  } catch (error) {
    await stop();
    throw new LocalError(
      'EMULATOR_FAILED',
      `The ${emulator.name} (${jar}) did not start. Its last output:\n${output()}`,
      { cause: error },
    );
  }
  // They must not keep this process alive. When it ends, their standard input ends, and they stop.
  child.unref();
  for (const stream of [child.stdin, child.stdout, child.stderr]) {
    if ('unref' in stream && typeof stream.unref === 'function') {
      stream.unref();
    }
  }
  return { host: `127.0.0.1:${port}`, stop };
}

type Child = ChildProcessByStdio<Writable, Readable, Readable>;

async function untilReady(port: number, child: Child): Promise<void> {
  let ended: string | undefined;
  child.once('exit', (code, signal) => (ended = `it ended with ${code ?? signal}`));
  child.once('error', (error) => (ended = error.message));
  const deadline = Date.now() + READY_TIMEOUT_MS;
  for (;;) {
    const answered = await fetch(`http://127.0.0.1:${port}/`).then(
      async (response) => {
        await response.text();
        return response.ok;
      },
      () => false,
    );
    if (answered) {
      return;
    }
    if (ended !== undefined) {
      throw new Error(ended);
    }
    if (Date.now() > deadline) {
      throw new Error(`it did not respond within ${READY_TIMEOUT_MS / 1000} s`);
    }
    await wait(READY_POLL_MS);
  }
}

/** Reads the output, so that the pipe never fills up, and keeps the end for an error message. */
function keepEnd(child: Child): () => string {
  let end = '';
  for (const stream of [child.stdout, child.stderr]) {
    stream.setEncoding('utf8').on('data', (text: string) => {
      end = (end + text).slice(-4000);
    });
  }
  return () => end.trim();
}

function killGroup(pid: number | undefined): void {
  if (pid === undefined) {
    return;
  }
  try {
    process.kill(-pid, 'SIGKILL');
  } catch {
    // The process has already ended.
  }
}

/** Returns what is missing, as text, if the emulator is not installed. */
async function locate(
  emulator: Emulator,
  environment: Readonly<Record<string, string | undefined>>,
): Promise<{ readonly java: string; readonly jar: string } | string> {
  const java = await findJava(environment);
  if (!java) {
    return 'Java is not on PATH';
  }
  const jar = await findJar(emulator, environment);
  return jar ? { java, jar } : `no Google Cloud CLI with the ${emulator.name} was found`;
}

async function findJava(
  environment: Readonly<Record<string, string | undefined>>,
): Promise<string | undefined> {
  const home = environment['JAVA_HOME'];
  const inHome = home ? await executable(join(home, 'bin', 'java')) : undefined;
  return inHome ?? (await onPath('java', environment));
}

async function findJar(
  { jar }: Emulator,
  environment: Readonly<Record<string, string | undefined>>,
): Promise<string | undefined> {
  for (const root of await cliRoots(environment)) {
    for await (const found of glob(jar, { cwd: root })) {
      return join(root, found);
    }
  }
  return undefined;
}

/** Where a Google Cloud CLI may be installed. `gcloud info` would take a second and return nothing more. */
async function cliRoots(environment: Readonly<Record<string, string | undefined>>): Promise<string[]> {
  const gcloud = await onPath('gcloud', environment);
  return [
    environment['CLOUDSDK_ROOT_DIR'],
    gcloud && dirname(dirname(await realpath(gcloud))),
    join(homedir(), 'google-cloud-sdk'),
    '/usr/lib/google-cloud-sdk',
    '/usr/share/google-cloud-sdk',
    '/opt/google-cloud-sdk',
    '/opt/homebrew/share/google-cloud-sdk',
    '/snap/google-cloud-cli/current',
  ].filter((root): root is string => root !== undefined && root !== '');
}

async function onPath(
  command: string,
  environment: Readonly<Record<string, string | undefined>>,
): Promise<string | undefined> {
  for (const folder of (environment['PATH'] ?? '').split(delimiter)) {
    const found = folder && (await executable(join(folder, command)));
    if (found) {
      return found;
    }
  }
  return undefined;
}

async function executable(path: string): Promise<string | undefined> {
  try {
    await access(path, constants.X_OK);
    return path;
  } catch {
    return undefined;
  }
}
