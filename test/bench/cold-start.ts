import { execFile } from 'node:child_process';
import { existsSync } from 'node:fs';
import { mkdir, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { promisify } from 'node:util';

import { startEmulators } from '../../infra/local/emulators.ts';
import { startFunction } from '../../infra/local/function-process.ts';
import { createPubsubRest } from '../../infra/local/pubsub-rest.ts';
import { createSimulator, serveSimulator } from '../../infra/local/simulator/index.ts';
import { targetNames, type Target } from '../../infra/targets.ts';
import { readConfig } from '../../shared/config.ts';
import { root } from '../processes.ts';
import { residentMb } from './processes.ts';
import { type Bench, median, type Row } from './table.ts';

/**
 * A cold start of each deployed bundle: from the start of the process until it listens, and until the response to its first
 * message, with the emulators and the simulator; compared with a function that does nothing. The two alternate. Both have
 * the compile cache that their image would have.
 */

const RUNS = 7;
const MORE_UNTIL_LISTENING_MS = 150;
/**
 * The limits, as multiples of an empty function's time. Most of the difference is Firestore's client: gRPC, and what protobufjs
 * generates for each type of message.
 */
const FIRST_RESPONSE_TIMES: Readonly<Record<Target, number>> = {
  submitExport: 3,
  expandBatch: 4,
  cancelExports: 4,
  recordDeadLetter: 4,
  pollExports: 4,
  showExports: 4,
};
const RESIDENT_MB = 140;

const project = 'demo-cold-start';

interface Start {
  readonly listeningMs: number;
  readonly answeredMs: number;
  readonly residentMb: number;
}

interface Candidate {
  readonly name: string;
  readonly target: Target;
  readonly source: string;
  readonly environment: Readonly<Record<string, string>>;
  readonly starts: Start[];
}

async function run(): Promise<Row[]> {
  if (!existsSync(join(root, 'build/deploy'))) {
    throw new Error('The bundles are not built. Run npm run build first.');
  }
  await using started = new AsyncDisposableStack();
  const emulators = await startEmulators({ projectId: project });
  started.defer(() => emulators.stop());
  const simulator = await serveSimulator(createSimulator());
  started.defer(() => simulator.close());
  const scratch = await mkdtemp(join(root, 'build/cold-start-'));
  started.defer(() => rm(scratch, { recursive: true }));

  const environment = {
    ...emulators.environment,
    EARTHENGINE_EMULATOR_HOST: `127.0.0.1:${simulator.port}`,
    NODE_COMPILE_CACHE_PORTABLE: '1',
  };
  const { topics } = readConfig(environment);
  const pubsub = createPubsubRest(emulators.pubsubHost, project);
  await Promise.all(Object.values<string>({ ...topics }).map((topic) => pubsub.createTopic(topic)));

  const candidates = [await emptyFunction(scratch, environment)];
  for (const target of targetNames) {
    candidates.push(await bundle(target, scratch, environment));
  }
  const request = await exampleRequest();
  // In turns, so that other load on the machine affects all of them equally. The first round fills the file cache.
  for (let round = 0; round <= RUNS; round += 1) {
    for (const candidate of candidates) {
      const measured = await start(
        candidate,
        bodyFor(candidate.target, `${candidate.name}-${round}`, request),
      );
      if (round > 0) {
        candidate.starts.push(measured);
      }
    }
  }
  const [empty, ...bundles] = candidates;
  return empty ? bundles.flatMap((candidate) => rows(candidate, empty)) : [];
}

function rows(candidate: Candidate, empty: Candidate): Row[] {
  const of = (of: Candidate, what: keyof Start) => median(of.starts.map((measured) => measured[what]));
  const listening = of(empty, 'listeningMs');
  return [
    {
      what: `${candidate.name}: start to listening`,
      value: of(candidate, 'listeningMs'),
      baseline: listening,
      unit: 'ms',
      most: listening + MORE_UNTIL_LISTENING_MS,
    },
    {
      what: `${candidate.name}: start to first response`,
      value: of(candidate, 'answeredMs'),
      baseline: of(empty, 'answeredMs'),
      unit: 'ms',
      limit: FIRST_RESPONSE_TIMES[candidate.target],
    },
    {
      what: `${candidate.name}: resident after it`,
      value: of(candidate, 'residentMb'),
      baseline: of(empty, 'residentMb'),
      unit: 'MB',
      most: RESIDENT_MB,
    },
  ];
}

async function emptyFunction(scratch: string, environment: Candidate['environment']): Promise<Candidate> {
  const source = join(scratch, 'index.cjs');
  await writeFile(
    source,
    "require('@google-cloud/functions-framework').http('submitExport', (_request, response) => response.status(204).end());\n",
  );
  const cache = join(scratch, 'empty');
  // The cache stays empty, as in an image without a warm-up: Node writes it when a process ends by itself, and these are killed.
  return {
    name: 'empty',
    target: 'submitExport',
    source,
    environment: { ...environment, NODE_COMPILE_CACHE: cache },
    starts: [],
  };
}

/** With the compiled code that `gcp-build` adds to the image (infra/cold-start/). */
async function bundle(
  target: Target,
  scratch: string,
  environment: Candidate['environment'],
): Promise<Candidate> {
  const directory = join(root, 'build/deploy', target);
  const cache = join(scratch, target);
  await mkdir(cache);
  await promisify(execFile)(process.execPath, ['warm-up.cjs'], {
    cwd: directory,
    env: { ...process.env, NODE_COMPILE_CACHE: cache, NODE_COMPILE_CACHE_PORTABLE: '1' },
  });
  return {
    name: target,
    target,
    source: join(directory, 'index.cjs'),
    environment: { ...environment, NODE_COMPILE_CACHE: cache },
    starts: [],
  };
}

async function start({ target, source, environment }: Candidate, body: unknown): Promise<Start> {
  const startedAt = performance.now();
  const instance = await startFunction({ target, source, env: environment });
  try {
    const listeningMs = performance.now() - startedAt;
    const message = {
      method: 'POST',
      headers: { 'content-type': 'application/json' },
      body: JSON.stringify(body),
    };
    const response = await fetch(instance.url, body === undefined ? {} : message);
    await response.arrayBuffer();
    const answeredMs = performance.now() - startedAt;
    if (!response.ok) {
      throw new Error(`${target} returned ${response.status}. Its output:\n${instance.output()}`);
    }
    return { listeningMs, answeredMs, residentMb: await residentMb(instance.pid) };
  } finally {
    instance.kill('SIGKILL');
    await instance.exited;
  }
}

async function exampleRequest(): Promise<unknown> {
  const file = join(root, 'infra/local/examples/las-vegas-growth.json');
  return (JSON.parse(await readFile(file, 'utf8')) as { request: unknown }).request;
}

/** A message that makes the function do all of its work. Each one is different. The page is requested without one. */
function bodyFor(target: Target, id: string, request: unknown): unknown {
  switch (target) {
    case 'submitExport':
      return push({ jobKey: id, request }, id);
    case 'expandBatch':
      return push(
        { batchId: 'cold-start', run: id, matrix: { n: [1] }, job: { jobKey: `${id}/\${n}`, request } },
        id,
      );
    case 'cancelExports':
      return push({ jobKey: id }, id);
    case 'recordDeadLetter':
      return push({ jobKey: `dead-${id}`, request }, id);
    case 'pollExports':
      return {};
    case 'showExports':
      return undefined;
  }
}

function push(data: unknown, messageId: string): unknown {
  return {
    message: { data: Buffer.from(JSON.stringify(data)).toString('base64'), messageId, attributes: {} },
    subscription: `projects/${project}/subscriptions/cold-start`,
  };
}

export default { name: 'cold-start', run } satisfies Bench;
