import { globSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { runInNewContext } from 'node:vm';

import { afterAll, beforeAll, describe, expect, it, vi } from 'vitest';

import {
  createSimulator,
  serveSimulator,
  type Simulator,
  simulatorFetch,
  type SimulatorServer,
} from '../../infra/local/simulator/index.ts';
import { createExpansion } from '../../shared/batch/expansion.ts';
import { readManifest } from '../../shared/batch/manifest.ts';
import { readConfig } from '../../shared/config.ts';
import { jobRules, parseJobMessage } from '../../shared/message/job-message.ts';
import { smallJob } from '../harness.ts';
import { root } from '../processes.ts';
import { codeBlocks, pages } from './pages.ts';
import { ee, initialize } from '../earth-engine-client.ts';

/**
 * Every example of the repository yields a video: the service accepts it, and the simulated Earth Engine renders it from
 * what the service sends, from what the official JavaScript client sends, and in the form of the Python client.
 */

interface Request {
  readonly expression: object;
  readonly priority?: number;
  readonly videoOptions?: Readonly<Record<string, unknown>>;
  readonly fileExportOptions: object;
}
type Example = readonly [name: string, message: { readonly request: Request }];

/** Examples of mistakes. */
const broken = new Set(['docs/guides/broken-job.json', 'test/fixtures/python-tasks/not-a-video.json']);

const read = (file: string): unknown => JSON.parse(readFileSync(join(root, file), 'utf8'));

/** The job messages in a file: a message, a request, a task as the Python client makes it, or the jobs of a manifest. */
function examplesIn(file: string): Example[] {
  const json = read(file) as Record<string, unknown>;
  if ('job' in json) {
    const reading = readManifest(json, new Date('2026-11-23T06:00:00Z'));
    const expansion = 'manifest' in reading ? createExpansion(reading.manifest) : undefined;
    if (!expansion || 'issues' in expansion) {
      throw new Error(`${file} is not a valid manifest`);
    }
    return Array.from({ length: expansion.jobs }, (_, job) => [
      `${file}, job ${job + 1}`,
      expansion.json(job) as Example[1],
    ]);
  }
  const request = json['config'] ?? json['request'] ?? json;
  return [[file, { ...('request' in json ? json : {}), request: request as Request }]];
}

const files = globSync(
  ['infra/local/examples/*.json', 'docs/guides/*.json', 'test/fixtures/{requests,python-tasks}/*.json'],
  { cwd: root },
).filter((file) => !broken.has(file));

const examples: Example[] = [
  ...files.toSorted().flatMap(examplesIn),
  ['the small job of the tests', smallJob() as unknown as Example[1]],
];

const config = readConfig({
  GOOGLE_CLOUD_PROJECT: 'my-project',
  ALLOWED_PROJECTS: '*',
  ALLOWED_DESTINATIONS: 'gs://*,drive:*',
});

let nowMs = Date.UTC(2026, 10, 23, 12);
let simulator: Simulator;
let server: SimulatorServer;

/** The client waits so long between two calls. The test does not. */
const THROTTLE_MS = 350;
const { setTimeout: wait } = globalThis;

beforeAll(async () => {
  vi.stubGlobal('setTimeout', (run: () => void, ms = 0) => wait(run, ms === THROTTLE_MS ? 0 : ms));
  const settings = { pendingMs: 0, runMs: [1000, 1000], concurrency: 100, startsPerSecond: 1e6 } as const;
  simulator = createSimulator({ now: () => new Date(nowMs), settings });
  server = await serveSimulator(simulator);
  await initialize(server.url, 'my-project');
});

afterAll(async () => {
  ee.reset();
  vi.unstubAllGlobals();
  await server.close();
});

async function send(request: object): Promise<void> {
  const response = await simulatorFetch(simulator)('http://simulator/v1/projects/p/video:export', {
    method: 'POST',
    // The service makes a description of its own, which Earth Engine accepts.
    body: new TextEncoder().encode(JSON.stringify({ ...request, description: 'example' })),
  });
  expect(response.status, await response.text()).toBe(200);
}

/** As `Export.video` of the JavaScript client sends the same collection. */
async function sendFromJavaScript({ expression, videoOptions = {} }: Request): Promise<void> {
  const { framesPerSecond } = videoOptions;
  const task = ee.batch.Export.video.toCloudStorage({
    collection: ee.ImageCollection(ee.Deserializer.decodeCloudApi(expression)),
    description: 'example',
    bucket: 'my-bucket',
    fileNamePrefix: 'example',
    ...(framesPerSecond === undefined ? {} : { framesPerSecond }),
  });
  await new Promise<void>((resolve, reject) => {
    task.start(resolve, (message) => reject(new Error(message)));
  });
}

/** The Python client wraps integers (ee/batch.py: `_prepare_video_export_config`, `_build_video_options`). */
function asPython(request: Request): Request {
  const { maxFrames: _maxFrames, maxPixelsPerFrame = '100000000', ...options } = request.videoOptions ?? {};
  const pixels = typeof maxPixelsPerFrame === 'object' ? maxPixelsPerFrame : { value: maxPixelsPerFrame };
  return {
    ...request,
    videoOptions: { ...options, maxPixelsPerFrame: pixels },
    priority: { value: 100 } as unknown as number,
  };
}

/** Of the last three operations, when they have run. */
function statesAfterTheirRun(): string[] {
  nowMs += 60_000;
  return simulator
    .operations()
    .slice(-3)
    .map(({ name, state }) => (state === 'SUCCEEDED' ? state : `${name} ${state}`));
}

describe('an example', () => {
  it.each(examples)('%s', async (_name, message) => {
    const reading = parseJobMessage(message, jobRules(config));
    expect(reading).not.toHaveProperty('issues');
    if (!('job' in reading)) {
      return;
    }
    await send(reading.job.request);
    await sendFromJavaScript(message.request);
    const python = asPython(message.request);
    expect(parseJobMessage({ ...message, request: python }, jobRules(config))).toHaveProperty('job');
    await send(python);
    expect(statesAfterTheirRun()).toEqual(['SUCCEEDED', 'SUCCEEDED', 'SUCCEEDED']);
  });

  it('is in every folder that has some', () => {
    expect(examples.length).toBeGreaterThan(20);
    expect(files).toContain('infra/local/examples/las-vegas-growth.json');
    expect(files).toContain('docs/guides/weekly-batch.json');
  });

  it('has a control: a known gray frame fails', async () => {
    const gray = smallJob()['request'] as Request & { expression: object };
    const text = JSON.stringify(gray).replace('"palette"', '"gain"');
    await send(JSON.parse(text) as object);
    nowMs += 60_000;
    expect(simulator.operations().at(-1)?.state).toBe('FAILED');
  });
});

/** The samples of code: their frames are those of one `visualize` each. */
const samples = pages
  .flatMap(codeBlocks)
  .filter(({ text, language }) => ['js', 'python'].includes(language) && text.includes('visualize'));

describe('a sample of code', () => {
  const ofLanguage = (name: string) =>
    samples
      .filter(({ language }) => language === name)
      .map(({ page, text }, n): [string, string] => [`${page}, ${n + 1}`, text]);

  it.each(ofLanguage('js'))('in JavaScript yields a video: %s', async (_name, text) => {
    const [, code = ''] = /^(const region = .*?^ {2}\);\n)/ms.exec(text) ?? [];
    expect(code).toContain('visualize');
    // The page's own code, run by the official client.
    const frames = runInNewContext(`${code}frames;`, { ee }) as object;
    await send({
      expression: ee.Serializer.encodeCloudApi(frames),
      fileExportOptions: { fileFormat: 'MP4', cloudStorageDestination: { bucket: 'my-bucket' } },
    });
    nowMs += 60_000;
    expect(simulator.operations().at(-1)?.state).toBe('SUCCEEDED');
  });

  it.each(ofLanguage('python'))(
    'in Python visualizes three bands, or one with a palette: %s',
    (_name, text) => {
      for (const [, options = ''] of text.matchAll(/\.visualize\((.*?)\)\)/gs)) {
        expect(options).toMatch(/palette=\[|bands=\["\w+", "\w+", "\w+"\]/);
      }
    },
  );

  it('is found', () => {
    expect(ofLanguage('js').length).toBeGreaterThanOrEqual(2);
    expect(ofLanguage('python').length).toBeGreaterThanOrEqual(3);
  });
});
