import { mkdtemp, rm } from 'node:fs/promises';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';

import { afterEach, beforeEach, describe, expect, it } from 'vitest';

import { codeBlock } from '../../docs/pages.ts';
import { descendants, run, running, withoutEmulators, type Run } from '../../processes.ts';

const { FIRESTORE_EMULATOR_HOST, PUBSUB_EMULATOR_HOST } = process.env;
const runningEmulators = { FIRESTORE_EMULATOR_HOST, PUBSUB_EMULATOR_HOST };

const pidOf = ({ process: { pid } }: Run): number => pid as number;

describe('npm run demo', () => {
  it('runs embedded without emulators, says so, and prints plain lines to a pipe', async () => {
    // Without Java and without the Google Cloud CLI.
    const demo = run(process.execPath, ['infra/local/demo.ts'], {
      PATH: dirname(process.execPath),
      HOME: '/nonexistent',
    });
    expect(await demo.closed, demo.output()).toBe(0);
    const output = demo.output();
    expect(output).toContain("Embedded, because Google's emulators are not installed");
    expect(output).not.toContain('\u001B');
    expect(output).toMatch(/^\d\d:\d\d:\d\d {2}SUCCEEDED {3}examples\/africa-ndvi\/2020 /m);
    expect(output).toContain('Earth Engine: 3 operations for 3 jobs, started by 3 calls.');
    expect(output).toMatch(/INVALID_JOB\n {4}request\.videoOptions\.framesPerSecond: found 500/);
    expect(Math.max(...output.split('\n').map(({ length }) => length))).toBeLessThanOrEqual(80);
  });

  it('stops and fails when it is interrupted', async () => {
    const demo = run(process.execPath, ['infra/local/demo.ts', '--embedded']);
    await demo.printed('SUBMITTING');
    demo.process.kill('SIGINT');
    expect(await demo.closed).toBe(1);
    expect(demo.output()).toContain('Interrupted.');
  });
});

describe('npm start', () => {
  let home: string;
  /** A terminal of a user who has set nothing. */
  let terminal: Record<string, string | undefined>;
  beforeEach(async () => {
    home = await mkdtemp(join(tmpdir(), 'start-'));
    terminal = { ...withoutEmulators, GOOGLE_CLOUD_PROJECT: undefined, XDG_CONFIG_HOME: home };
  });
  afterEach(() => rm(home, { recursive: true }));

  const sh = async (text: string, variables: NodeJS.ProcessEnv = {}): Promise<string> => {
    const shell = run('bash', ['-ec', text], { ...terminal, ...variables });
    expect(await shell.closed, shell.output()).toBe(0);
    return shell.output();
  };

  it('is found from any terminal, uses other ports than those that are taken, and leaves no process behind', async () => {
    // If another program has the port already, that is as good.
    const blocker = createServer()
      .on('error', () => {})
      .listen(8483, '127.0.0.1');
    try {
      const start = run('npm', ['start'], { ...terminal, ...runningEmulators });
      await start.printed('Events of the service:');
      expect(start.output()).not.toContain('127.0.0.1:8483');
      const pids = descendants(pidOf(start));
      // npm's shell, npm start, and six functions. It uses the emulators of all tests; emulators.emulator.test.ts starts others.
      expect(pids.length).toBeGreaterThanOrEqual(8);
      expect(await sh('npx ee-video-exports --version')).toMatch(
        /^Service: local \(project demo-video-exports, /m,
      );
      const standardTools = codeBlock('README.md', 'sh', '$(cat infra/local/examples');
      await sh(standardTools);
      await start.printed('SUCCEEDED   ve1-');
      expect(await sh(standardTools)).toContain('"stringValue": "SUCCEEDED"');
      expect(await sh('npx ee-video-exports doctor')).toContain('No problems found.');

      const second = run('npm', ['start'], terminal);
      expect(await second.closed).toBe(1);
      expect(second.output()).toMatch(
        /already running, started in .* \(process \d+\)\. To stop it: npm stop/,
      );

      start.process.kill('SIGTERM');
      await start.closed;
      expect(running(pids)).toEqual([]);
      expect(start.output()).toContain('Everything is stopped.');
      const list = run('npx', ['ee-video-exports', 'list'], terminal);
      expect(await list.closed).toBe(2);
      expect(list.output()).toContain('The service of the context local is not running.');
    } finally {
      blocker.close();
    }
  }, 120_000);

  it('--detach returns, and npm stop ends it', async () => {
    const output = await sh('npm start -- --detach', runningEmulators);
    expect(output).toMatch(/It runs in the background as process (\d+)\. Its log: .*local\.log/);
    const [, pid] = /as process (\d+)/.exec(output) ?? [];
    const pids = [Number(pid), ...descendants(Number(pid))];
    // It and six functions.
    expect(running(pids).length).toBeGreaterThanOrEqual(7);
    expect(await sh('npx ee-video-exports doctor')).toContain('No problems found.');
    expect(await sh('npm stop')).toContain('Everything is stopped.');
    expect(running(pids)).toEqual([]);
    expect(await sh('npm stop')).toContain('The service is not running.');
  });
});
