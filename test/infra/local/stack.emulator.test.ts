import { readFileSync } from 'node:fs';
import { join } from 'node:path';

import { afterAll, beforeAll, describe, expect, it } from 'vitest';

import { startFunction } from '../../../infra/local/function-process.ts';
import type { PulledMessage } from '../../../infra/local/pubsub-rest.ts';
import { eventsSubscription, startStack, type Stack } from '../../../infra/local/stack.ts';
import { targetNames } from '../../../infra/targets.ts';
import { SETTINGS_ID } from '../../../shared/model/service-settings.ts';
import { createFirestoreStore } from '../../../shared/store/firestore.ts';
import type { Store } from '../../../shared/store/store.ts';
import { codeBlock } from '../../docs/pages.ts';
import { root, run, running } from '../../processes.ts';

const lasVegas = readFileSync(join(root, 'infra/local/examples/las-vegas-growth.json'), 'utf8');
const quick = { pendingMs: 0, runMs: [200, 400], startsPerSecond: 100 } as const;

/** Reads events until one reports that the job has the state. */
async function untilPublished(
  { pubsub, config }: Stack,
  jobKey: string,
  state: string,
): Promise<PulledMessage> {
  for (;;) {
    for (const message of await pubsub.pull(eventsSubscription(config.topics))) {
      const { attributes } = message;
      if (attributes['jobKey'] === jobKey && attributes['state'] === state) {
        return message;
      }
    }
  }
}

describe('the local stack', () => {
  let stack: Stack;
  let store: Store;
  const problems: Error[] = [];
  const crashed = Promise.withResolvers<Error>();

  beforeAll(async () => {
    stack = await startStack({
      // A project of this process alone, which is empty in the emulators.
      project: `demo-stack-${process.pid}`,
      simulator: quick,
      pollEveryMs: 100,
      onProblem: (problem) => {
        problems.push(problem);
        crashed.resolve(problem);
      },
    });
    store = createFirestoreStore({
      projectId: stack.config.googleCloudProject,
      databaseId: stack.config.firestoreDatabase,
      emulatorHost: stack.emulators.firestoreHost,
    });
  });

  afterAll(async () => {
    await store.close();
    await stack.stop();
  });

  it('runs a published job to its end, and publishes its final state', async () => {
    await stack.pubsub.publish(stack.config.topics.jobs, lasVegas);
    const { attributes, data } = await untilPublished(stack, 'examples/las-vegas/2000-2020', 'SUCCEEDED');
    const [operation] = stack.simulator.operations();
    expect(JSON.parse(data)).toMatchObject({ state: 'SUCCEEDED', operation: operation?.name });
    const record = await store.records.get(attributes['recordId'] ?? '');
    expect(record).toMatchObject({
      value: { state: 'SUCCEEDED', operation: operation?.name, requestId: operation?.requestId },
    });
  });

  it('stores the settings that clients need', async () => {
    // Later than the first poll, which stores them: a poll has found that the job ended.
    expect(await store.settings.get(SETTINGS_ID)).toHaveProperty('value.topics.jobs', 'video-export-jobs');
  });

  it('changes nothing when the same message is delivered again', async () => {
    const calls = stack.simulator.exportCalls.length;
    const before = await store.records.find({ where: [], orderBy: [] }, { limit: 10 });
    await stack.pubsub.publish(stack.config.topics.jobs, lasVegas);
    // The test also delivers the message directly: then a duplicate has been handled for certain.
    const message = { messageId: 'again', data: Buffer.from(lasVegas).toString('base64') };
    const response = await fetch(stack.functions.submitExport.url, {
      method: 'POST',
      headers: { 'content-type': 'application/json' },
      body: JSON.stringify({ message }),
    });
    expect(response.status).toBe(204);
    expect(await store.records.find({ where: [], orderBy: [] }, { limit: 10 })).toEqual(before);
    expect(stack.simulator.exportCalls).toHaveLength(calls);
  });

  it("accepts what README's JavaScript publishes, and returns the record that README's JavaScript reads", async () => {
    const { environment } = stack;
    const address = `http://${environment['EARTHENGINE_EMULATOR_HOST']}`;
    const connect = `await new Promise((done, failed) =>
      ee.initialize('${address}', '${address}', done, failed, null, '${stack.config.googleCloudProject}'));`;
    const publishing = codeBlock('README.md', 'js', '@google/earthengine').replace(
      /^\/\/ … after .*$/m,
      connect,
    );
    expect(publishing).toContain(connect);
    const published = run(process.execPath, ['--input-type=module', '--eval', publishing], {
      ...process.env,
      ...environment,
    });
    expect(await published.closed, published.output()).toBe(0);
    expect(published.output()).toMatch(/^\d+\n$/);
    const { attributes } = await untilPublished(stack, 'africa-ndvi/2020', 'SUCCEEDED');
    expect(stack.simulator.operations().at(-1)).toMatchObject({
      destination: 'gs://my-bucket/ndvi/africa-2020',
      requestId: attributes['recordId'],
    });

    const reading = run(
      process.execPath,
      ['--input-type=module', '--eval', codeBlock('README.md', 'js', 'Firestore')],
      {
        ...process.env,
        ...environment,
      },
    );
    expect(await reading.closed, reading.output()).toBe(0);
    expect(reading.output()).toMatch(/^ve1-[a-z2-7]{32} SUCCEEDED \[\s+'https:/);
  });

  it('rejects an invalid message without a problem', async () => {
    const messageId = await stack.pubsub.publish(stack.config.topics.jobs, '{"jobKey":"wrong"}');
    const next = lasVegas.replace('examples/las-vegas/2000-2020', 'after-the-invalid-one');
    await stack.pubsub.publish(stack.config.topics.jobs, next);
    await untilPublished(stack, 'after-the-invalid-one', 'SUCCEEDED');
    expect(await store.rejectedMessages.get(messageId)).toMatchObject({ value: { reason: 'INVALID_JOB' } });
    expect(problems).toEqual([]);
  });

  // The last one, because it ends the stack.
  it('reports a function that crashes, and leaves no process behind when it is stopped', async () => {
    const pids = targetNames.map((target) => stack.functions[target].pid);
    process.kill(stack.functions.expandBatch.pid, 'SIGKILL');
    expect(await crashed.promise).toMatchObject({
      code: 'FUNCTION_CRASHED',
      message: expect.stringContaining('expandBatch') as string,
    });
    expect(running(pids)).toHaveLength(targetNames.length - 1);
    await stack.stop();
    expect(running(pids)).toEqual([]);
  });
});

describe('a function that does not start', () => {
  it('is reported with its output', async () => {
    const failed = startFunction({ target: 'submitExport', env: { GOOGLE_CLOUD_PROJECT: 'NOT AN ID' } });
    await expect(failed).rejects.toMatchObject({
      code: 'FUNCTION_FAILED',
      message: expect.stringContaining('GOOGLE_CLOUD_PROJECT') as string,
    });
  });
});
