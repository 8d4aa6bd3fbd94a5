import { afterAll, beforeAll, describe, expect, it } from 'vitest';

import { readContexts } from '../../../../cli/service/contexts.ts';
import { createUser, type User } from '../../../local-user.ts';
import { run, type Run } from '../../../processes.ts';

/**
 * `npm start` on a machine that has only Node: the unit tests' PATH has no Java. Commands run as in a second terminal, and the first
 * one as its own process.
 */

let user: User;
let start: Run;

beforeAll(async () => {
  user = await createUser();
  start = run(process.execPath, ['infra/local/start.ts'], { ...user.environment, JAVA_HOME: undefined });
  await start.printed('Events of the service:');
  await simulator({ pendingMs: 0, runMs: [100, 200], startsPerSecond: 100, concurrency: 20 });
}, 60_000);

afterAll(async () => {
  start.process.kill('SIGTERM');
  await start.closed;
  await user.remove();
});

const local = (): Readonly<Record<string, string>> => {
  const { local } = readContexts(user.environment).contexts;
  return (local?.kind === 'local' && local.running?.environment) || {};
};

async function simulator(settings: object): Promise<void> {
  const response = await fetch(`http://${local()['EARTHENGINE_EMULATOR_HOST']}/simulator/settings`, {
    method: 'PATCH',
    body: JSON.stringify(settings),
  });
  expect(response.ok).toBe(true);
}

async function ok(...args: readonly string[]): Promise<string> {
  const { code, output } = await user.run(...args);
  expect(code, output).toBe(0);
  return output;
}

describe('npm start without emulators', { timeout: 60_000 }, () => {
  it('runs in one process, and says what that means and how to get the emulators', () => {
    expect(start.output()).toMatch(
      /It runs in one process, without Google's emulators: npm stop deletes its records/,
    );
    expect(start.output()).toContain("Google's emulators cannot start: Java is not on PATH.");
    expect(start.output()).toContain('gcloud components install cloud-firestore-emulator pubsub-emulator');
    expect(start.output()).not.toContain('FIRESTORE_EMULATOR_HOST/v1');
  });

  it('renders a batch from another terminal, and shows it', async () => {
    const batch = ['batch', 'run', 'docs/guides/weekly-batch.json', '--run', '2026-11-16', '--watch'];
    const watched = run(process.execPath, ['cli/ee-video-exports.ts', ...batch], user.environment);
    expect(await watched.closed, watched.output()).toBe(0);
    expect(watched.output()).toMatch(/3 of 3 ended {2}SUCCEEDED 3/);
    expect(await ok('show', 'weekly-ndvi/2026-11-16/alps', '--request')).toMatch(/"fileFormat": "MP4"/);
    await start.printed('FINISHED    batch weekly-ndvi@2026-11-16');
    const page = await fetch(/Open (\S+) in a browser/.exec(start.output())?.[1] ?? '');
    expect(await page.text()).toContain('<title>Overview');
  });

  it('passes doctor, and its settings reach the command line', async () => {
    const output = await ok('doctor');
    expect(output).toMatch(
      /^ok +Service +local \(project demo-video-exports, one process at 127\.0\.0\.1:\d+\)/m,
    );
    expect(output).toMatch(/^ok +Rules +Jobs can use/m);
    expect(output).toMatch(/^ok +Topics +All \d exist/m);
    expect(output).toContain('No problems found.');
  });

  it('rejects a message, records it, and cancels and retries a job', async () => {
    const broken = await user.run('submit', 'docs/guides/broken-job.json');
    expect(broken.output).toContain('INVALID_JOB');
    await simulator({ stalling: [''] });
    await ok('submit', 'infra/local/examples/las-vegas-growth.json');
    await start.printed('examples/las-vegas/2000-2020');
    await simulator({ stalling: [] });
    await ok('cancel', 'examples/las-vegas/2000-2020');
    await start.printed('CANCELLED   ve1-');
    expect(await ok('retry', 'examples/las-vegas/2000-2020', '--watch')).toMatch(/SUCCEEDED/);
  });

  it('tells other programs that they cannot reach it', async () => {
    expect(await user.run('context', 'env')).toMatchObject({
      code: 2,
      output: expect.stringContaining("runs without Google's emulators") as string,
    });
  });

  it('ends, and says so to the command line', async () => {
    start.process.kill('SIGTERM');
    expect(await start.closed, start.output()).toBe(0);
    expect(start.output()).toContain('Everything is stopped.');
    expect(start.output()).not.toMatch(/"severity":"ERROR"|^ {4}at /m);
    expect(await user.run('list')).toMatchObject({
      code: 2,
      output: expect.stringContaining('The service of the context local is not running.') as string,
    });
  });
});
