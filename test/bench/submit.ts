import { fork } from 'node:child_process';
import { once } from 'node:events';
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { performance } from 'node:perf_hooks';
import { pathToFileURL } from 'node:url';

import pMap from 'p-map';

import { startEmulators } from '../../infra/local/emulators.ts';
import { type FunctionProcess, startFunction } from '../../infra/local/function-process.ts';
import type { SimulatorCounters } from '../../infra/local/simulator/api.ts';
import { createPubsubRest } from '../../infra/local/pubsub-rest.ts';
import { readConfig } from '../../shared/config.ts';
import { processCpuMs } from '../cpu-time.ts';
import { root } from '../processes.ts';
import { type Bench, median, type Row } from './table.ts';
import { ee, initialize } from '../earth-engine-client.ts';

/**
 * A job in submitExport, from push request to response. It is compared with the floor (`submit/floor.ts`): the two alternate,
 * in separate processes, with the same emulators and simulator. It is also compared with the official JavaScript client,
 * which stores no record. CPU time is that of the measured process alone.
 */

const PROJECT = 'demo-submit';
const PAIRS = 7;
const JOBS = 200;
const WARM_UP_JOBS = 400;
/** The official client waits 350 ms between two requests. */
const CLIENT_JOBS = 10;
/** The concurrency of one instance. */
const AT_ONCE = 8;
const CPU_TIMES = 1.5;

interface Measured {
  readonly cpuMs: number;
  readonly ms: number;
}

async function run(): Promise<Row[]> {
  await using started = new AsyncDisposableStack();
  const emulators = await startEmulators({ projectId: PROJECT });
  started.defer(() => emulators.stop());
  const simulator = fork(join(import.meta.dirname, 'submit/simulator.ts'));
  started.defer(() => void simulator.kill());
  const [port] = (await once(simulator, 'message')) as [number];
  const environment = {
    ...emulators.environment,
    EARTHENGINE_EMULATOR_HOST: `127.0.0.1:${port}`,
    MAX_ACTIVE_OPERATIONS: '10000000',
    NODE_OPTIONS: `--import=${pathToFileURL(join(import.meta.dirname, 'submit/cpu-report.ts')).href}`,
  };
  const { topics } = readConfig(environment);
  await createPubsubRest(emulators.pubsubHost, PROJECT).createTopic(topics.events);

  const countStarted = async () => {
    const response = await fetch(`http://127.0.0.1:${port}/simulator/counters`);
    const { projects } = (await response.json()) as SimulatorCounters;
    return projects[PROJECT]?.active ?? 0;
  };
  const service = await startEndpoint(join(root, 'functions/index.ts'), environment, countStarted);
  started.defer(() => service.stop());
  const floor = await startEndpoint(join(import.meta.dirname, 'submit/floor.ts'), environment, countStarted);
  started.defer(() => floor.stop());
  const request = JSON.parse(
    await readFile(join(root, 'test/fixtures/requests/landsat-annual-timelapse.json'), 'utf8'),
  ) as object;

  await service.submit(request, WARM_UP_JOBS);
  await floor.submit(request, WARM_UP_JOBS);
  const client = await startOfficialClient(`http://127.0.0.1:${port}`);
  started.defer(() => client.end());
  await client.submit(CLIENT_JOBS);
  const services: Measured[] = [];
  const floors: Measured[] = [];
  const clients: Measured[] = [];
  for (let pair = 0; pair < PAIRS; pair += 1) {
    services.push(await service.submit(request, JOBS));
    floors.push(await floor.submit(request, JOBS));
    clients.push(await client.submit(CLIENT_JOBS));
  }
  const of = (measured: readonly Measured[], what: keyof Measured) =>
    median(measured.map((one) => one[what]));
  return [
    {
      what: 'CPU time of a job, compared with the floor',
      value: of(services, 'cpuMs'),
      baseline: of(floors, 'cpuMs'),
      unit: 'ms',
      limit: CPU_TIMES,
    },
    {
      what: `jobs per second, ${AT_ONCE} at once, compared with the floor`,
      value: 1000 / of(services, 'ms'),
      baseline: 1000 / of(floors, 'ms'),
      unit: '/s',
    },
    {
      what: 'CPU time of a job, compared with the official client',
      value: of(services, 'cpuMs'),
      baseline: of(clients, 'cpuMs'),
      unit: 'ms',
    },
    {
      what: 'jobs per second, compared with a loop over the official client',
      value: 1000 / of(services, 'ms'),
      baseline: 1000 / of(clients, 'ms'),
      unit: '/s',
    },
  ];
}

interface Endpoint {
  /** Pushes a number of jobs. Returns, per job, the CPU time of the endpoint's process and the elapsed time. */
  submit(request: object, jobs: number): Promise<Measured>;
  stop(): Promise<void>;
}

let jobs = 0;

async function startEndpoint(
  source: string,
  environment: Readonly<Record<string, string>>,
  countStarted: () => Promise<number>,
): Promise<Endpoint> {
  const reports: ((cpuMs: number) => void)[] = [];
  const onLine = (line: string) => {
    if (line.startsWith('{"cpuMs"')) {
      reports.shift()?.((JSON.parse(line) as { readonly cpuMs: number }).cpuMs);
    }
  };
  const endpoint = await startFunction({ target: 'submitExport', source, env: environment, onLine });
  const cpuMs = (): Promise<number> => {
    const { promise, resolve: report } = Promise.withResolvers<number>();
    reports.push(report);
    process.kill(endpoint.pid, 'SIGUSR2');
    return promise;
  };
  return {
    async submit(request, count) {
      const bodies = Array.from({ length: count }, () => pushOf(request));
      const startedBefore = await countStarted();
      const before = await cpuMs();
      const start = performance.now();
      await pMap(bodies, (body) => push(endpoint, body), { concurrency: AT_ONCE });
      const ms = performance.now() - start;
      const used = (await cpuMs()) - before;
      const operations = (await countStarted()) - startedBefore;
      if (operations !== count) {
        throw new Error(
          `${count} jobs started ${operations} operations; the function's output:\n${endpoint.output()}`,
        );
      }
      return { cpuMs: used / count, ms: ms / count };
    },
    stop: () => endpoint.stop(),
  };
}

function pushOf(request: object): string {
  jobs += 1;
  const data = Buffer.from(JSON.stringify({ jobKey: `bench/${jobs}`, request })).toString('base64');
  return JSON.stringify({ message: { data, messageId: String(jobs) }, subscription: 'bench' });
}

async function push(endpoint: FunctionProcess, body: string): Promise<void> {
  const response = await fetch(endpoint.url, {
    method: 'POST',
    headers: { 'content-type': 'application/json' },
    body,
  });
  await response.arrayBuffer();
  if (response.status !== 204) {
    throw new Error(
      `a job got the response ${response.status}; the function's output:\n${endpoint.output()}`,
    );
  }
}

/** The usual loop, in this process: it starts one task after the other. */
async function startOfficialClient(url: string) {
  await initialize(url, PROJECT);
  const startTask = (n: number) =>
    new Promise<void>((done, failed) => {
      const collection = ee
        .ImageCollection('MODIS/061/MOD13A2')
        .filterDate('2020-01-01', '2021-01-01')
        .select('NDVI')
        .map((image) => image.visualize({ min: 0, max: 9000, palette: ['white', 'green'] }));
      const task = ee.batch.Export.video.toCloudStorage({
        collection,
        description: `ndvi-${n}`,
        bucket: 'my-bucket',
        fileNamePrefix: `ndvi/${n}`,
        framesPerSecond: 12,
        dimensions: 720,
        region: ee.Geometry.Rectangle([-18, -35, 52, 38], null, false),
      });
      task.start(done, (message) => failed(new Error(message)));
    });
  return {
    async submit(count: number): Promise<Measured> {
      const before = processCpuMs();
      const start = performance.now();
      for (let n = 0; n < count; n += 1) {
        await startTask(n);
      }
      const ms = performance.now() - start;
      return { cpuMs: (processCpuMs() - before) / count, ms: ms / count };
    },
    end: () => ee.reset(),
  };
}

const bench: Bench = { name: 'submit', run };
export default bench;
