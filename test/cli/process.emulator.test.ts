import { once } from 'node:events';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { join } from 'node:path';

import { beforeAll, describe, expect, it } from 'vitest';

import { createPubsubRest } from '../../infra/local/pubsub-rest.ts';
import { readConfig } from '../../shared/config.ts';
import { keptSubscription } from '../../shared/dead-letters/replay.ts';
import { root, run, type Run } from '../infra/local/processes.ts';

/** The command line as a process, against emulators where no service runs. */
const project = `demo-cli-${process.pid}`;
const environment: NodeJS.ProcessEnv = { ...process.env, GOOGLE_CLOUD_PROJECT: project };
const { FIRESTORE_EMULATOR_HOST: _firestore, PUBSUB_EMULATOR_HOST: pubsubHost = '', ...bare } = environment;
const example = 'infra/local/examples/africa-ndvi.json';

const cli = (args: readonly string[], env: NodeJS.ProcessEnv = environment): Run =>
  run(process.execPath, [join(root, 'cli/ee-video-exports.ts'), ...args], env);

async function ran(
  args: readonly string[],
  env?: NodeJS.ProcessEnv,
): Promise<{ code: number | null; output: string }> {
  const running = cli(args, env);
  const code = await running.closed;
  return { code, output: running.output() };
}

beforeAll(async () => {
  const { topics } = readConfig(environment);
  const pubsub = createPubsubRest(pubsubHost, project);
  await Promise.all(Object.values<string>({ ...topics }).map((topic) => pubsub.createTopic(topic)));
  await pubsub.subscribe(keptSubscription(topics), { topic: topics.deadLetters });
});

describe('the process', () => {
  it('ends on Ctrl-C with 130, leaves the jobs alone and says how to come back', async () => {
    const watching = cli(['submit', example, '--watch']);
    await watching.printed('PUBLISHED');
    watching.process.kill('SIGINT');
    expect(await watching.closed).toBe(130);
    expect(watching.output()).toMatch(
      /The jobs go on without you\. To come back:\n {2}npx ee-video-exports watch ve1-\w{32}\n$/,
    );
  });

  it('finds a topic that is missing', async () => {
    const env = { ...environment, JOBS_TOPIC: 'another-topic' };
    const doctor = await ran(['doctor', '--json'], env);
    expect(doctor.code).toBe(1);
    expect(doctor.output).toContain('"code":"TOPIC_MISSING"');
    const submitted = await ran(['submit', example], env);
    expect(submitted).toEqual({
      code: 1,
      output: `ee-video-exports: 0 of 1 message published: there is no topic another-topic in ${project}. Check that this is the service's project (GOOGLE_CLOUD_PROJECT).\n`,
    });
  });

  it.each([
    [
      ['list'],
      { FIRESTORE_EMULATOR_HOST: '127.0.0.1:1' },
      /Firestore emulator does not answer at 127\.0\.0\.1:1: start it/,
    ],
    [
      ['submit', example],
      { PUBSUB_EMULATOR_HOST: '127.0.0.1:1' },
      /Pub\/Sub emulator does not answer at 127\.0\.0\.1:1/,
    ],
  ])('%s says that an emulator does not run', async (args, change, message) => {
    const { code, output } = await ran(args, { ...environment, ...change });
    expect(code).toBe(1);
    expect(output).toMatch(message);
    expect(output).not.toMatch(/^ {4}at /m);
  });

  it.each([
    ['none', {}, /^ee-video-exports: No Google Cloud credentials found\. Run gcloud auth/],
    [
      'of a file that is not there',
      { GOOGLE_APPLICATION_CREDENTIALS: '/nonexistent/key.json' },
      /Cannot use the credentials file/,
    ],
  ])('says what is wrong with credentials: %s', async (_name, change, message) => {
    const env = { ...bare, METADATA_SERVER_DETECTION: 'none', HOME: '/nonexistent', ...change };
    const { code, output } = await ran(['list'], env);
    expect(code).toBe(1);
    expect(output).toMatch(message);
    expect(output).not.toMatch(/^ {4}at /m);
  });

  it('says nothing of the search for credentials that a library warns of', async () => {
    const server = createServer((_request, response) => response.writeHead(403).end());
    await once(server.listen(0, '127.0.0.1'), 'listening');
    try {
      const { port } = server.address() as AddressInfo;
      const env = { ...bare, GCE_METADATA_HOST: `127.0.0.1:${port}`, HOME: '/nonexistent' };
      const { output } = await ran(['list'], env);
      expect(output).toMatch(/^ee-video-exports: .*\n$/);
    } finally {
      server.close();
    }
  });

  it('replays no message that is not kept', async () => {
    const { code, output } = await ran(['dead-letters', 'replay', 'nosuch']);
    expect({ code, output }).toEqual({
      code: 1,
      output:
        'ee-video-exports: No message is kept as nosuch with the reason DEAD_LETTER; dead-letters list shows ids and reasons (--reason).\n',
    });
  });

  it('survives a reader that leaves', async () => {
    const shell = run(
      'bash',
      ['-c', `set -o pipefail; "${process.execPath}" cli/ee-video-exports.ts --help | true`],
      environment,
    );
    expect(await shell.closed, shell.output()).toBe(0);
  });
});
