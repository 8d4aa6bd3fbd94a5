import { flushCompileCache } from 'node:module';

import { getTestServer } from '@google-cloud/functions-framework/testing';

import type { Runtime } from '../../functions/runtime.ts';
import { SECOND_MS } from '../../shared/clock.ts';
import example from '../local/examples/las-vegas-growth.json' with { type: 'json' };
import type { Target } from '../targets.ts';
import type { LoadedFunction } from './load.ts';
import { earthEngine, firestoreAndPubsub, listen } from './stand-ins.ts';

/**
 * The warm-up: while its image is built, a function handles a first request, so the image contains all code that V8 compiles
 * for one (NODE_COMPILE_CACHE in functions.tf). The function calls only stand-ins in this process. Without the compiled code, it
 * only starts more slowly, so a problem must not fail the build.
 */

const project = 'demo-build';
const LONGEST_MS = 30 * SECOND_MS;

/**
 * Warms the function up and ends the process, with exit code 0 whatever happens.
 *
 * @param loadFunction evaluates the main file, after the environment is set
 */
export async function warmUp(target: Target, loadFunction: () => LoadedFunction): Promise<void> {
  setTimeout(() => end('it took too long'), LONGEST_MS);
  try {
    await setEnvironment();
    const loaded = loadFunction();
    await request(target);
    await loadMore(target, loaded);
    loaded.keepCompiledCode();
    end();
  } catch (error) {
    end(error);
  }
}

/** Loads what only a later request would: a poll that finds operations lists them, and looks for videos. */
async function loadMore(target: Target, loaded: LoadedFunction): Promise<void> {
  if (target === 'pollExports') {
    const { services } = (await loaded.load()) as Runtime;
    await services.earthEngine.listOperations(project, undefined, { timeoutMs: SECOND_MS });
    await services.storage?.();
  }
}

/** @param problem why some code was not compiled */
function end(problem?: unknown): never {
  if (problem !== undefined) {
    console.warn('The compiled code is incomplete:', problem);
  }
  flushCompileCache();
  process.exit(0);
}

async function setEnvironment(): Promise<void> {
  const google = await listen(firestoreAndPubsub());
  Object.assign(process.env, {
    NODE_ENV: 'production',
    GOOGLE_CLOUD_PROJECT: project,
    // The clients would otherwise look for a project and for credentials.
    METADATA_SERVER_DETECTION: 'none',
    FIRESTORE_EMULATOR_HOST: google,
    PUBSUB_EMULATOR_HOST: google,
    EARTHENGINE_EMULATOR_HOST: await listen(earthEngine(project)),
    STORAGE_EMULATOR_HOST: 'http://127.0.0.1:1',
  });
}

async function request(target: Target): Promise<void> {
  const address = await listen(getTestServer(target));
  const body = bodyFor(target);
  const response = await fetch(
    `http://${address}`,
    body && {
      method: 'POST',
      headers: { 'content-type': 'application/json' },
      body: JSON.stringify(body),
    },
  );
  const text = await response.text();
  if (!response.ok) {
    throw new Error(`${target} returned ${response.status} ${text}`);
  }
}

function bodyFor(target: Target): object | undefined {
  const job = { jobKey: 'warm-up', request: example.request };
  switch (target) {
    case 'submitExport':
    case 'recordDeadLetter':
      return push(job);
    case 'expandBatch':
      return push({
        batchId: 'warm-up',
        run: '1',
        matrix: { n: [1] },
        job: { ...job, jobKey: 'warm-up/${n}' },
      });
    case 'cancelExports':
      return push({ jobKey: job.jobKey });
    case 'pollExports':
      return {};
    case 'showExports':
      return undefined;
  }
}

const push = (data: object) => ({
  message: { data: Buffer.from(JSON.stringify(data)).toString('base64'), messageId: '1', attributes: {} },
  subscription: `projects/${project}/subscriptions/warm-up`,
});
