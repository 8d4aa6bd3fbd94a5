import { spawnSync } from 'node:child_process';
import { generateKeyPairSync } from 'node:crypto';
import { mkdtemp, readdir, readFile, rm, stat, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

import { afterAll, beforeAll, describe, expect, it } from 'vitest';

import { startStack, type Stack } from '../../infra/local/stack.ts';
import { buildPackage } from '../../infra/package.ts';
import { root, run } from '../processes.ts';

/** The package with the command line alone, installed from its tarball into an empty folder. */

const MAX_INSTALLED_BYTES = 15e6;

describe('the package of the command line', () => {
  let work: string;
  let tarball: string;
  let stack: Stack;

  beforeAll(async () => {
    work = await mkdtemp(join(tmpdir(), 'package-'));
    tarball = await buildPackage(join(work, 'build'), '@my-team/ee-video-exports');
    const installed = spawnSync('npm', ['install', '--offline', '--prefix', work, tarball], {
      cwd: work,
      encoding: 'utf8',
    });
    expect(installed.status, installed.stderr).toBe(0);
    stack = await startStack({
      project: `demo-package-${process.pid}`,
      simulator: { pendingMs: 0, runMs: [100, 200], startsPerSecond: 100, concurrency: 20 },
      pollEveryMs: 200,
      onProblem: () => {},
    });
  });

  afterAll(async () => {
    await stack.stop();
    await rm(work, { recursive: true });
  });

  const command = (...args: readonly string[]) =>
    run(process.execPath, [join(work, 'node_modules/.bin/ee-video-exports'), ...args], {
      PATH: process.env['PATH'],
      XDG_CONFIG_HOME: work,
      ...stack.environment,
    });

  it('has no dependencies, and is small', async () => {
    const manifest = JSON.parse(
      await readFile(join(work, 'node_modules/@my-team/ee-video-exports/package.json'), 'utf8'),
    ) as Record<string, unknown>;
    expect(manifest).not.toHaveProperty('dependencies');
    expect(await readdir(join(work, 'node_modules'))).toEqual(['.bin', '.package-lock.json', '@my-team']);
    const files = await readdir(join(work, 'node_modules'), { recursive: true });
    const sizes = await Promise.all(
      files.map(async (file) => (await stat(join(work, 'node_modules', file))).size),
    );
    expect(sizes.reduce((sum, size) => sum + size, 0)).toBeLessThan(MAX_INSTALLED_BYTES);
  });

  it('submits jobs, watches them, and reads their records', async () => {
    const example = join(root, 'infra/local/examples/las-vegas-growth.json');
    const submitted = command('submit', example, '--watch');
    expect(await submitted.closed, submitted.output()).toBe(0);
    expect(submitted.output()).toContain('SUCCEEDED');
    const shown = command('show', 'examples/las-vegas/2000-2020', '--request');
    expect(await shown.closed, shown.output()).toBe(0);
    expect(shown.output()).toContain('"fileFormat": "MP4"');
  });

  it('examines the service', async () => {
    const doctor = command('doctor');
    await doctor.closed;
    expect(doctor.output()).toMatch(/^No problems found/m);
    expect(doctor.output()).not.toMatch(/^ {4}at /m);
  });

  it('gets tokens for a service on Google Cloud', async () => {
    const { privateKey } = generateKeyPairSync('rsa', { modulusLength: 2048 });
    const key = {
      type: 'service_account',
      client_email: 'nobody@my-project.iam.gserviceaccount.com',
      private_key: privateKey.export({ type: 'pkcs8', format: 'pem' }),
    };
    await writeFile(join(work, 'key.json'), JSON.stringify(key));
    const doctor = run(process.execPath, [join(work, 'node_modules/.bin/ee-video-exports'), 'doctor'], {
      PATH: process.env['PATH'],
      XDG_CONFIG_HOME: work,
      GOOGLE_CLOUD_PROJECT: 'my-project',
      GOOGLE_APPLICATION_CREDENTIALS: join(work, 'key.json'),
      // Nothing listens there: the test must not depend on a network.
      HTTPS_PROXY: 'http://127.0.0.1:9',
    });
    await doctor.closed;
    expect(doctor.output()).toMatch(/^problem {2}Credentials {3}.*127\.0\.0\.1:9/m);
  });

  it('can ask which topics the caller may publish to', async () => {
    // Only a deployed service has permissions, so this looks for the client that would ask.
    const chunks = join(work, 'node_modules/@my-team/ee-video-exports/bin/chunks');
    const texts = await Promise.all(
      (await readdir(chunks)).map((file) => readFile(join(chunks, file), 'utf8')),
    );
    expect(texts.some((text) => text.includes('google.iam.v1.IAMPolicy'))).toBe(true);
  });

  it('runs from the tarball without an installation', async () => {
    const help = run('npx', ['--offline', '--yes', `--package=${tarball}`, 'ee-video-exports', '--help'], {
      ...process.env,
      PATH: `${join(process.execPath, '..')}:${process.env['PATH']}`,
    });
    expect(await help.closed, help.output()).toBe(0);
    expect(help.output()).toContain('Usage: ee-video-exports COMMAND');
  });
});
