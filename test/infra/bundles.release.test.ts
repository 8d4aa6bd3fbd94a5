import { execFile } from 'node:child_process';
import { createServer } from 'node:http';
import { copyFile, mkdir, mkdtemp, readdir, readFile, rm } from 'node:fs/promises';
import type { AddressInfo } from 'node:net';
import { join } from 'node:path';
import { promisify } from 'node:util';

import { afterAll, beforeAll, describe, expect, it } from 'vitest';

import { buildDeploy } from '../../infra/build.ts';
import { type FunctionProcess, startFunction } from '../../infra/local/function-process.ts';
import { createPubsubRest } from '../../infra/local/pubsub-rest.ts';
import { connect } from '../../infra/local/stack.ts';
import {
  createSimulator,
  serveSimulator,
  type Simulator,
  type SimulatorServer,
} from '../../infra/local/simulator/index.ts';
import { type Target, targetNames } from '../../infra/targets.ts';
import { systemClock } from '../../shared/clock.ts';
import { readConfig } from '../../shared/config.ts';
import { createLog } from '../../shared/log.ts';
import { keptSubscription, replayKeptMessages } from '../../shared/dead-letters/replay.ts';
import { createKeptMessages } from '../../shared/pubsub/kept-messages.ts';
import { createPublisher } from '../../shared/pubsub/publisher.ts';
import { createFirestoreStore } from '../../shared/store/firestore.ts';
import { isReadable } from '../../shared/store/store.ts';
import { root } from './stack.ts';

/** Runs what is deployed: each function's single file, with the framework and the emulators. */

const project = 'demo-bundles';
let outDir: string;
let simulator: Simulator;
let server: SimulatorServer;
let environment: Record<string, string>;

beforeAll(async () => {
  // Inside the project, where Node finds the framework, which is not in the bundle.
  await mkdir(join(root, 'build'), { recursive: true });
  outDir = await mkdtemp(join(root, 'build/test-'));
  await buildDeploy(outDir);
  simulator = createSimulator();
  server = await serveSimulator(simulator);
  environment = {
    GOOGLE_CLOUD_PROJECT: project,
    FIRESTORE_EMULATOR_HOST: process.env['FIRESTORE_EMULATOR_HOST'] ?? '',
    PUBSUB_EMULATOR_HOST: process.env['PUBSUB_EMULATOR_HOST'] ?? '',
    EARTHENGINE_EMULATOR_HOST: `127.0.0.1:${server.port}`,
    METADATA_SERVER_DETECTION: 'none',
  };
  const pubsub = createPubsubRest(environment['PUBSUB_EMULATOR_HOST'] ?? '', project);
  const { topics } = readConfig(environment);
  await Promise.all(Object.values<string>({ ...topics }).map((topic) => pubsub.createTopic(topic)));
  // The build bundles six functions, and compresses the page's files as far as possible.
}, 180_000);

afterAll(async () => {
  await Promise.allSettled([...processes.values()].map(async (running) => (await running).stop()));
  await server?.close();
  await rm(outDir, { recursive: true, force: true });
});

/** The processes that were started, by function. */
const processes = new Map<Target, Promise<FunctionProcess>>();
/** Called with each line that any of them prints. */
const lineHandlers = new Set<(line: string) => void>();

const cacheOf = (target: Target): string => join(outDir, `cache-${target}`);

/** The function's process, which all tests share. It is started when it is first needed. */
function bundle(target: Target): Promise<FunctionProcess> {
  const running =
    processes.get(target) ??
    startFunction({
      target,
      // As in its image: with what the test below kept.
      env: { ...environment, NODE_COMPILE_CACHE: cacheOf(target), NODE_COMPILE_CACHE_PORTABLE: '1' },
      source: join(outDir, 'deploy', target, 'index.cjs'),
      onLine: (line) => lineHandlers.forEach((handle) => handle(line)),
    });
  processes.set(target, running);
  return running;
}

async function exampleJob(jobKey: string): Promise<object> {
  const { request } = JSON.parse(
    await readFile(join(root, 'infra/local/examples/las-vegas-growth.json'), 'utf8'),
  ) as { request: object };
  return { jobKey, request };
}

async function messageFor(target: Target): Promise<unknown> {
  const job = await exampleJob(`bundle/${target}`);
  switch (target) {
    case 'expandBatch':
      return { batchId: 'bundle', run: '1', matrix: { n: [1] }, job: { ...job, jobKey: 'bundle/${n}' } };
    case 'cancelExports':
      return { jobKey: 'bundle/never-seen' };
    case 'submitExport':
    case 'recordDeadLetter':
    case 'pollExports':
    case 'showExports':
      return job;
  }
}

async function deliver(to: FunctionProcess, data: unknown): Promise<{ status: number; body: string }> {
  const response = await fetch(to.url, {
    method: 'POST',
    headers: { 'content-type': 'application/json' },
    body: JSON.stringify({
      message: { data: Buffer.from(JSON.stringify(data)).toString('base64'), messageId: `to-${to.target}` },
      subscription: `projects/${project}/subscriptions/test`,
    }),
  });
  return { status: response.status, body: await response.text() };
}

describe('a deployed bundle', () => {
  it.each(targetNames)('%s is one file, and the files that are needed to start it', async (target) => {
    const directory = join(outDir, 'deploy', target);
    expect((await readdir(directory)).sort()).toEqual([
      'function.cjs',
      'index.cjs',
      'package-lock.json',
      'package.json',
      ...(target === 'pollExports' || target === 'showExports' ? ['storage-client.cjs'] : []),
      ...(target === 'pollExports' ? ['video-worker.cjs'] : []),
      'warm-up.cjs',
    ]);
    const manifest = JSON.parse(await readFile(join(directory, 'package.json'), 'utf8')) as {
      main: string;
      dependencies: Record<string, string>;
    };
    expect(manifest.main).toBe('index.cjs');
    expect(Object.keys(manifest.dependencies)).toEqual(['@google-cloud/functions-framework']);
    expect(Object.values(manifest.dependencies).join(' ')).toMatch(/^\d+\.\d+\.\d+$/);
  });

  it.each(targetNames)(
    '%s handles a request while its image is built, and stores the compiled code',
    async (target) => {
      const cache = cacheOf(target);
      const { stdout, stderr } = await promisify(execFile)(process.execPath, ['warm-up.cjs'], {
        cwd: join(outDir, 'deploy', target),
        env: { NODE_COMPILE_CACHE: cache, NODE_COMPILE_CACHE_PORTABLE: '1' },
      });
      expect([stderr, stdout]).toEqual(['', expect.not.stringMatching(/ERROR|request\.failed/)]);
      const names = await readdir(cache);
      // What V8 compiled of the function itself, and Node's own cache.
      expect(names.sort()).toEqual([
        expect.stringMatching(/^function-[0-9a-f]{64}-v[\d.]+-\w+$/),
        expect.stringContaining(process.version),
      ]);
    },
  );

  it('is built although the warm-up ends its process', async () => {
    const directory = join(outDir, 'deploy', 'submitExport');
    const { scripts } = JSON.parse(await readFile(join(directory, 'package.json'), 'utf8')) as {
      scripts: Record<string, string>;
    };
    const { stdout } = await promisify(execFile)('sh', ['-c', scripts['gcp-build'] ?? 'exit 1'], {
      cwd: directory,
      env: { PATH: process.env['PATH'], RETENTION_DAYS: 'wrong' },
    });
    expect(stdout).toMatch(/config\.invalid[^]*The compiled code is incomplete/);
    await rm(join(directory, '.compile-cache'), { recursive: true, force: true });
  });

  it('pollExports loads nothing that reads videos before a job has ended', async () => {
    const directory = join(outDir, 'deploy', 'pollExports');
    const scratch = await mkdtemp(join(outDir, 'deploy', 'idle-'));
    for (const name of ['index.cjs', 'function.cjs']) {
      await copyFile(join(directory, name), join(scratch, name));
    }
    const instance = await startFunction({
      target: 'pollExports',
      env: { ...environment, STORAGE_EMULATOR_HOST: 'http://127.0.0.1:1' },
      source: join(scratch, 'index.cjs'),
    });
    try {
      const response = await fetch(instance.url, { method: 'POST' });
      expect([response.status, instance.output()]).toEqual([200, expect.not.stringContaining('ERROR')]);
    } finally {
      await instance.stop();
    }
  });

  it('showExports starts and shows every page', async () => {
    const instance = await bundle('showExports');
    for (const path of ['/', '/exports', '/batches', '/healthz']) {
      const response = await fetch(`${instance.url}${path}`);
      expect([path, response.status], instance.output()).toEqual([path, 200]);
    }
    const html = await (await fetch(instance.url)).text();
    const [script = ''] = /\/assets\/page-\w+\.js/.exec(html) ?? [];
    expect((await fetch(`${instance.url}${script}`)).status).toBe(200);
  });

  it.each(targetNames.filter((target) => target !== 'showExports'))(
    '%s starts and handles a message',
    async (target) => {
      const instance = await bundle(target);
      const response = await deliver(instance, await messageFor(target));
      expect(response, instance.output()).toMatchObject({ status: target === 'pollExports' ? 200 : 204 });
    },
  );

  it('does not start with a wrong setting, and logs which', async () => {
    const env = { ...environment, RETENTION_DAYS: 'forever' };
    const source = join(outDir, 'deploy/submitExport/index.cjs');
    await expect(startFunction({ target: 'submitExport', env, source })).rejects.toThrow(
      /RETENTION_DAYS must be a whole number/,
    );
  });
});

describe('a message that fails permanently', () => {
  it('reaches rejectedMessages through the dead-letter policy, and succeeds once if replayed', async () => {
    const { topics, firestoreDatabase } = readConfig(environment);
    const pubsub = createPubsubRest(environment['PUBSUB_EMULATOR_HOST'] ?? '', project);
    const store = createFirestoreStore({ projectId: project, databaseId: firestoreDatabase });
    const publisher = createPublisher({ projectId: project, clock: systemClock });
    const kept = createKeptMessages({
      projectId: project,
      subscription: keptSubscription(topics),
      patienceMs: 1000,
    });
    // A broken function: it responds with 500 to every request.
    let attempts = 0;
    const broken = createServer((_request, response) => {
      attempts += 1;
      response.writeHead(500).end();
    });
    await new Promise<void>((listening) => broken.listen(0, '127.0.0.1', listening));
    const brokenUrl = `http://127.0.0.1:${(broken.address() as AddressInfo).port}`;

    /** Resolves with the first log line of an event. */
    const logged = (event: string) =>
      new Promise<Record<string, unknown>>((resolve) => {
        const handle = (line: string) => {
          if (!line.includes(`"event":"${event}"`)) {
            return;
          }
          lineHandlers.delete(handle);
          resolve(JSON.parse(line) as Record<string, unknown>);
        };
        lineHandlers.add(handle);
      });

    const [recordDeadLetter, submitExport] = await Promise.all([
      bundle('recordDeadLetter'),
      bundle('submitExport'),
    ]);
    const endpoints = {
      pollExports: brokenUrl,
      expandBatch: brokenUrl,
      cancelExports: brokenUrl,
      recordDeadLetter: recordDeadLetter.url,
    };
    const subscriptions = await connect(
      pubsub,
      topics,
      { ...endpoints, submitExport: brokenUrl },
      { maxDeliveryAttempts: 5 },
    );
    try {
      const job = await exampleJob('bundle/dies-first');
      const rejection = logged('message.rejected');
      await pubsub.publish(topics.jobs, JSON.stringify(job));
      const { messageId, recordId } = (await rejection) as { messageId: string; recordId: string };
      expect(attempts).toBeGreaterThanOrEqual(5);
      const found = await store.rejectedMessages.get(messageId);
      expect(found && isReadable(found) ? found.value : found).toMatchObject({
        reason: 'DEAD_LETTER',
        source: 'recordDeadLetter',
        recordId,
        deliveryAttempt: 5,
        attributes: { CloudPubSubDeadLetterSourceSubscription: `${topics.jobs}-push` },
      });

      // The function works again: the first replay publishes the dead letter, the second finds nothing.
      await connect(pubsub, topics, { ...endpoints, submitExport: submitExport.url });
      const services = {
        store,
        publisher,
        config: readConfig(environment),
        clock: systemClock,
        log: createLog(
          () => {},
          () => new Date(),
        ),
        stopping: new AbortController().signal,
      };
      const transition = logged('record.transition');
      await expect(replayKeptMessages(services, kept)).resolves.toMatchObject({
        messages: [{ messageId, recordId, topic: topics.jobs, outcome: 'REPLAYED' }],
      });
      await expect(transition).resolves.toMatchObject({ recordId });
      await expect(replayKeptMessages(services, kept)).resolves.toMatchObject({ messages: [] });
      const submitted = simulator.exportCalls.filter(({ requestId }) => requestId === recordId);
      expect(submitted).toHaveLength(1);
      const record = await store.records.get(recordId);
      expect(record && isReadable(record) ? record.value : record).toMatchObject({ submissions: 1 });
    } finally {
      await Promise.all(subscriptions.map((subscription) => pubsub.unsubscribe(subscription)));
      await Promise.all([kept.close(), publisher.close(), store.close()]);
      await new Promise((closed) => broken.close(closed));
    }
  });
});
