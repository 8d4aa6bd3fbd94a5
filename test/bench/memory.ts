import { execFileSync, fork } from 'node:child_process';
import { once } from 'node:events';
import { existsSync } from 'node:fs';
import { availableParallelism } from 'node:os';
import { join, resolve } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { pathToFileURL } from 'node:url';

import { startEmulators } from '../../infra/local/emulators.ts';
import { startFunction } from '../../infra/local/function-process.ts';
import { createPubsubRest } from '../../infra/local/pubsub-rest.ts';
import type { Target } from '../../infra/targets.ts';
import { readConfig } from '../../shared/config.ts';
import { createFirestoreStore } from '../../shared/store/firestore.ts';
import type { Store } from '../../shared/store/store.ts';
import { at, readStack } from '../infra/stack.ts';
import { type Kind, kinds, pushOf } from './memory/messages.ts';
import type { Bench, Row } from './table.ts';

/**
 * The largest messages, as many at once as an instance gets: the peak memory of the process, and the longest stall of its
 * event loop. Each run uses a new process of the deployed bundle on one CPU, with Node's options as deployed, and with Google's
 * clients against the emulators and the simulator. Peak memory is VmHWM, which includes Node's own code. Linux only.
 */

const PROJECT = 'demo-memory';
/** Of the function's limit. */
const MEMORY_SHARE = 0.8;
const STALL_MS = 1500;
const REDELIVERY_MS = 10_000;
const REDELIVERIES = 12;

const root = resolve(import.meta.dirname, '../..');

interface Case {
  readonly target: Target;
  readonly kind: Kind;
  readonly messages: number;
  /** Whether each message becomes an export; otherwise it becomes a rejected message. */
  readonly isExported: boolean;
}

const cases: readonly Case[] = [
  ...kinds.map((kind): Case => {
    return { target: 'submitExport', kind, messages: 8, isExported: kind !== 'empty arrays' };
  }),
  ...kinds.map((kind): Case => ({ target: 'recordDeadLetter', kind, messages: 4, isExported: false })),
];

/** What `memory/report.ts` prints. */
interface Reading {
  readonly peakMib: number;
  readonly stallMs: number;
}

interface World {
  readonly environment: Readonly<Record<string, string>>;
  readonly store: Store;
}

async function run(): Promise<Row[]> {
  if (!existsSync(join(root, 'build/deploy'))) {
    throw new Error('There are no bundles: run npm run build first');
  }
  // The function has CPU 0 for itself, as deployed.
  pin(process.pid, `1-${availableParallelism() - 1}`);
  await using started = new AsyncDisposableStack();
  const emulators = await startEmulators({ projectId: PROJECT });
  started.defer(() => emulators.stop());
  const simulator = fork(join(import.meta.dirname, 'submit/simulator.ts'));
  started.defer(() => void simulator.kill());
  const [port] = (await once(simulator, 'message')) as [number];
  const environment = { ...emulators.environment, EARTHENGINE_EMULATOR_HOST: `127.0.0.1:${port}` };
  // This process has a client, too.
  Object.assign(process.env, emulators.environment);
  const config = readConfig(environment);
  const pubsub = createPubsubRest(emulators.pubsubHost, PROJECT);
  await Promise.all(Object.values<string>({ ...config.topics }).map((topic) => pubsub.createTopic(topic)));
  const store = createFirestoreStore({
    projectId: PROJECT,
    databaseId: config.firestoreDatabase,
    emulatorHost: config.firestoreEmulatorHost,
  });
  started.defer(() => store.close());

  const rows: Row[] = [];
  for (const one of cases) {
    rows.push(...(await measure(one, { environment, store })));
  }
  return rows;
}

async function measure({ target, kind, messages, isExported }: Case, world: World): Promise<Row[]> {
  const { limitMib, nodeOptions } = await deployed(target);
  const report = pathToFileURL(join(import.meta.dirname, 'memory/report.ts')).href;
  let onReport = (_line: string) => {};
  const endpoint = await startFunction({
    target,
    source: join(root, 'build/deploy', target, 'index.cjs'),
    env: { ...world.environment, NODE_OPTIONS: `${nodeOptions} --import=${report}` },
    onLine: (line) => onReport(line),
  });
  try {
    pin(endpoint.pid, '0');
    const reading = async (): Promise<Reading> => {
      const line = new Promise<string>((done) => {
        onReport = (text) => text.startsWith('{"peakMib"') && done(text);
      });
      process.kill(endpoint.pid, 'SIGUSR2');
      return JSON.parse(await line) as Reading;
    };
    // The clients load with the first message.
    await deliver(endpoint.url, JSON.stringify({ message: { data: '', messageId: `${target}-${kind}` } }));
    const before = await reading();
    const countBefore = await countHandled(world.store, isExported);

    const bodies = Array.from({ length: messages }, (_, number) =>
      pushOf(kind, `${target}/${kind}/${number}`),
    );
    await Promise.all(bodies.map((body) => deliver(endpoint.url, body))).catch((error: unknown) => {
      throw new Error(`${target} did not handle ${kind}; it printed:\n${endpoint.output()}`, {
        cause: error,
      });
    });
    const { peakMib, stallMs } = await reading();
    const handled = (await countHandled(world.store, isExported)) - countBefore;
    if (handled !== messages) {
      throw new Error(
        `${target} handled ${handled} of ${messages} messages of ${kind}:\n${endpoint.output()}`,
      );
    }
    const what = `${target}, ${messages} × 10 MB of ${kind}`;
    return [
      {
        what: `${what}: peak`,
        value: peakMib,
        baseline: before.peakMib,
        unit: 'MiB',
        most: MEMORY_SHARE * limitMib,
      },
      { what: `${what}: stall`, value: stallMs, baseline: before.stallMs, unit: 'ms', most: STALL_MS },
    ];
  } finally {
    endpoint.kill('SIGKILL');
    await endpoint.exited;
  }
}

function pin(pid: number, cpus: string): void {
  execFileSync('taskset', ['--all-tasks', '--cpu-list', '--pid', cpus, String(pid)]);
}

/** A function's memory limit, and Node's options: those that Google's buildpack derives from it. */
async function deployed(target: Target): Promise<{ limitMib: number; nodeOptions: string }> {
  const { locals } = await readStack();
  const memory = String(at(locals, 'functions', target, 'memory'));
  const [, amount, unit] = /^(\d+)(Mi|Gi)$/.exec(memory) ?? [];
  const limitMib = Number(amount) * (unit === 'Gi' ? 1024 : 1);
  return { limitMib, nodeOptions: `--max-old-space-size=${limitMib - 64}` };
}

const countHandled = (store: Store, isExported: boolean): Promise<number> =>
  isExported
    ? store.records.count({ where: [['state', '==', 'PENDING']], orderBy: [] })
    : store.rejectedMessages.count({ where: [], orderBy: [] });

/** Delivers a message until it is acknowledged, as Pub/Sub does. A function responds with 503 if it is busy. */
async function deliver(url: string, body: string): Promise<void> {
  for (let delivery = 0; delivery <= REDELIVERIES; delivery += 1) {
    if (await isAcknowledged(url, body)) {
      return;
    }
    await sleep(REDELIVERY_MS);
  }
  throw new Error(`A message was not acknowledged in ${REDELIVERIES + 1} deliveries`);
}

async function isAcknowledged(url: string, body: string): Promise<boolean> {
  try {
    const headers = { 'content-type': 'application/json' };
    const response = await fetch(url, { method: 'POST', headers, body });
    await response.arrayBuffer();
    return response.ok;
  } catch {
    return false;
  }
}

const bench: Bench = { name: 'memory', run };
export default bench;
