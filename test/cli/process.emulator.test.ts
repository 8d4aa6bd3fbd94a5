import { spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { join } from 'node:path';

import { beforeAll, describe, expect, it } from 'vitest';

import { createPubsubRest } from '../../infra/local/pubsub-rest.ts';
import { readConfig } from '../../shared/config.ts';
import { keptSubscription } from '../../shared/dead-letters/replay.ts';
import { root, run, type Run } from '../processes.ts';

/** The command line as a process, with emulators but without the service. */
const project = `demo-cli-${process.pid}`;
const environment: NodeJS.ProcessEnv = { ...process.env, GOOGLE_CLOUD_PROJECT: project };
const {
  FIRESTORE_EMULATOR_HOST: firestoreHost,
  PUBSUB_EMULATOR_HOST: pubsubHost = '',
  ...bare
} = environment;
/** What ends each error. */
const service = `Service: project ${project}, emulators at ${firestoreHost}\n`;
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
  it('exits with 130 on Ctrl-C, leaves the jobs running and prints how to continue', async () => {
    const watching = cli(['submit', example, '--watch']);
    await watching.printed('PUBLISHED');
    watching.process.kill('SIGINT');
    expect(await watching.closed).toBe(130);
    expect(watching.output()).toMatch(
      /The jobs keep running\. To continue watching:\n {2}npx ee-video-exports watch ve1-\w{32}\n$/,
    );
  });

  it('reports a missing topic', async () => {
    const env = { ...environment, JOBS_TOPIC: 'another-topic' };
    const doctor = await ran(['doctor', '--json'], env);
    expect(doctor.code).toBe(1);
    expect(doctor.output).toContain('"code":"TOPIC_MISSING"');
    const submitted = await ran(['submit', example], env);
    expect(submitted).toEqual({
      code: 1,
      output: `ee-video-exports: 0 of 1 message published: there is no topic another-topic in ${project}. Check that this is the service's project (GOOGLE_CLOUD_PROJECT).\n${service}`,
    });
  });

  it.each([
    [
      ['list'],
      { FIRESTORE_EMULATOR_HOST: '127.0.0.1:1' },
      /No response from the Firestore emulator at 127\.0\.0\.1:1\. Start the local service/,
    ],
    [
      ['submit', example],
      { PUBSUB_EMULATOR_HOST: '127.0.0.1:1' },
      /No response from the Pub\/Sub emulator at 127\.0\.0\.1:1/,
    ],
  ])('%s reports that an emulator is not running', async (args, change, message) => {
    const { code, output } = await ran(args, { ...environment, ...change });
    expect(code).toBe(1);
    expect(output).toMatch(message);
    expect(output).not.toMatch(/^ {4}at /m);
  });

  it.each([
    ['none', {}, /^ee-video-exports: No Google Cloud credentials found\. Run gcloud auth/],
    [
      'in a file that does not exist',
      { GOOGLE_APPLICATION_CREDENTIALS: '/nonexistent/key.json' },
      /Cannot use the credentials file/,
    ],
  ])('reports a problem with credentials: %s', async (_name, change, message) => {
    const env = { ...bare, METADATA_SERVER_DETECTION: 'none', HOME: '/nonexistent', ...change };
    const { code, output } = await ran(['list'], env);
    expect(code).toBe(1);
    expect(output).toMatch(message);
    expect(output).not.toMatch(/^ {4}at /m);
  });

  it('hides the warning of a library that finds no credentials', async () => {
    const server = createServer((_request, response) => response.writeHead(403).end());
    await once(server.listen(0, '127.0.0.1'), 'listening');
    try {
      const { port } = server.address() as AddressInfo;
      const env = { ...bare, GCE_METADATA_HOST: `127.0.0.1:${port}`, HOME: '/nonexistent' };
      const { output } = await ran(['list'], env);
      expect(output).toMatch(/^ee-video-exports: .*\nService: .*\n$/);
    } finally {
      server.close();
    }
  });

  it('reports a message to replay that is not kept', async () => {
    const { code, output } = await ran(['dead-letters', 'replay', 'nosuch']);
    expect({ code, output }).toEqual({
      code: 1,
      output: `ee-video-exports: No message nosuch is kept with the reason DEAD_LETTER. To see ids and reasons (for --reason), run dead-letters list.\n${service}`,
    });
  });

  it('exits without an error if the reader of its output stops', async () => {
    const shell = run(
      'bash',
      ['-c', `set -o pipefail; "${process.execPath}" cli/ee-video-exports.ts --help | true`],
      environment,
    );
    expect(await shell.closed, shell.output()).toBe(0);
  });

  it.each(['bash', 'zsh', 'fish'])('prints a script of completion that %s accepts', async (shell) => {
    const { code, output } = await ran(['completion', shell]);
    expect(code).toBe(0);
    expect(output).toContain('ee-video-exports complete --');
    const check = (script: string) => spawnSync(shell, ['-n'], { input: script, encoding: 'utf8' });
    // Only a shell that is installed can check its script.
    if (check('').error === undefined) {
      expect(check(output).status, check(output).stderr).toBe(0);
      expect(check(`${output}\nif`).status).not.toBe(0);
    }
  });

  it.each([
    ['ee-video-exports sho', 'show'],
    ['ee-video-exports dead-letters ', 'list replay help'],
  ])('completes in bash: %s', async (line, expected) => {
    const words = line.split(' ').map((word) => `'${word}'`);
    const shell = run(
      'bash',
      [
        '-c',
        `ee-video-exports() { "${process.execPath}" cli/ee-video-exports.ts "$@"; }
        compopt() { :; }
        source <(ee-video-exports completion bash)
        COMP_WORDS=(${words.join(' ')}) COMP_CWORD=${words.length - 1}
        __ee_video_exports_complete
        echo "\${COMPREPLY[@]}"`,
      ],
      environment,
    );
    expect(await shell.closed, shell.output()).toBe(0);
    expect(shell.output().trim()).toBe(expected);
  });

  it.each([
    [['sho'], 'show'],
    [['batch', ''], 'plan'],
    [['list', '--fo'], '--format'],
    [['list', '--format', ''], 'csv'],
  ])('completes %s', async (words, expected) => {
    const { code, output } = await ran(['complete', '--', ...words]);
    expect(code).toBe(0);
    expect(output.split(/\s/)).toContain(expected);
  });
});
