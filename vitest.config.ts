import { spawnSync } from 'node:child_process';
import { globSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

import { BaseSequencer, type TestSpecification } from 'vitest/node';
import { defineConfig } from 'vitest/config';

import { emulatorsObstacle } from './infra/local/emulators.ts';
import { createOnlyNodePath } from './test/only-node.ts';

const onlyNode = await createOnlyNodePath(tmpdir());
process.on('exit', () => rmSync(onlyNode, { recursive: true }));

const env = {
  // No test may read or write the contexts of the user who runs it.
  XDG_CONFIG_HOME: join(tmpdir(), `ee-video-exports-tests-${process.pid}`),
  // Node's own folder for what it compiled: the tests start hundreds of processes.
  NODE_COMPILE_CACHE: join(tmpdir(), 'node-compile-cache'),
};

/**
 * Files that wait long begin first, so that none of them runs alone at the end. Then those with emulators, together: a process that
 * gets a file of the other project starts again.
 */
const slow = [
  'docs/guides.emulator',
  'infra/local/embedded/on-call',
  'page/browser',
  'functions/outage.emulator',
  'functions/graceful-stop.emulator',
  'python/python.emulator',
  'store/firestore.emulator',
].map((name) => join(import.meta.dirname, 'test', `${name}.test.ts`));

class SlowFirst extends BaseSequencer {
  override async sort(files: TestSpecification[]): Promise<TestSpecification[]> {
    const place = ({ moduleId, project }: TestSpecification) => {
      const index = slow.indexOf(moduleId);
      return index === -1 ? slow.length + Number(project.name !== 'emulator') : index;
    };
    return (await super.sort(files)).toSorted((a, b) => place(a) - place(b));
  }
}

const emulatorTests = 'test/**/*.emulator.test.ts';

// A contributor may have only Node. In CI, a missing emulator is an error, which the emulators' setup reports.
const obstacle = process.env['CI'] ? undefined : await emulatorsObstacle();
if (obstacle !== undefined) {
  const files = globSync(emulatorTests).length;
  process.on('exit', () =>
    console.log(
      `Left out: ${files} test files (*.emulator.test.ts), because ${obstacle}. README.md, "Try it", says how to install Google's emulators.`,
    ),
  );
}

// The same for Python.
const pythonTests = 'test/python/*.emulator.test.ts';
const hasPython = Boolean(process.env['CI']) || spawnSync('python3', ['--version']).error === undefined;
if (obstacle === undefined && !hasPython) {
  process.on('exit', () =>
    console.log('Left out: the tests of the Python package, because there is no python3.'),
  );
}

/** They need no other program, and must not start to need one unnoticed. */
const inOneProcess = {
  // They share no state, so those that follow each other in a process load and compile the modules once.
  isolate: false,
  env: { ...env, PATH: onlyNode },
};

const withEmulators = {
  // Each of them has its own project in the emulators.
  isolate: false,
  env,
  testTimeout: 60_000,
  hookTimeout: 60_000,
};

export default defineConfig({
  test: {
    // Tests with emulators mostly wait for other processes, so this is twice as many as a small machine has cores.
    maxWorkers: 4,
    sequence: { sequencer: SlowFirst },
    projects: [
      {
        test: {
          name: 'unit',
          include: ['test/**/*.test.ts'],
          exclude: ['test/**/*.{emulator,release,simulation,terraform}.test.ts'],
          // Only what hangs takes that long, even on a busy machine.
          testTimeout: 60_000,
          ...inOneProcess,
        },
      },
      {
        test: {
          name: 'simulation',
          include: ['test/**/*.simulation.test.ts'],
          // They compute for long.
          testTimeout: 120_000,
          ...inOneProcess,
        },
      },
      {
        test: {
          name: 'emulator',
          ...withEmulators,
          include: obstacle === undefined ? [emulatorTests] : [],
          exclude: hasPython ? [] : [pythonTests],
          globalSetup: obstacle === undefined ? ['test/emulators.ts'] : [],
        },
      },
      {
        test: {
          name: 'release',
          // They start processes as users and Cloud Run do.
          ...withEmulators,
          include: ['test/**/*.release.test.ts'],
          globalSetup: ['test/emulators.ts'],
        },
      },
      {
        test: {
          name: 'terraform',
          env,
          include: ['test/**/*.terraform.test.ts'],
          testTimeout: 300_000,
          hookTimeout: 300_000,
        },
      },
    ],
  },
});
