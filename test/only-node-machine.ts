import { spawnSync } from 'node:child_process';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';

import { createOnlyNodePath } from './only-node.ts';

/**
 * `node test/only-node-machine.ts`: what a new contributor does on a machine that has only Node, npm, git, and coreutils, in a
 * fresh clone. It runs one of the unit tests: `npm test` runs all of them with this PATH, here and everywhere.
 */

const steps: readonly (readonly [command: string, prints: RegExp])[] = [
  ['git clone --quiet --no-hardlinks "$SOURCE" clone', /^/],
  ['cd clone && npm ci', /^/],
  ['cd clone && npm run demo', /Embedded, because [^]*All checks passed/],
  ['cd clone && npm start -- --detach', /It runs in one process[^]*Java is not on PATH/],
  [
    'cd clone && npx ee-video-exports batch run docs/guides/weekly-batch.json --run 2026-11-16 --watch',
    /3 of 3 ended {2}SUCCEEDED 3/,
  ],
  ['cd clone && npm stop', /Everything is stopped\./],
  [
    'cd clone && npm test -- test/layout.test.ts',
    /1 passed[^]*\nLeft out: \d+ test files \(\*\.emulator\.test\.ts\), because .*\. README\.md, "Try it"/,
  ],
];

const work = await mkdtemp(join(tmpdir(), 'only-node-machine-'));
// Everything else stays: npm may need variables to reach its registry.
const {
  CI: _ci,
  JAVA_HOME: _java,
  FIRESTORE_EMULATOR_HOST: _firestore,
  PUBSUB_EMULATOR_HOST: _pubsub,
  GOOGLE_CLOUD_PROJECT: _project,
  ...others
} = process.env;
const environment = {
  ...others,
  PATH: await createOnlyNodePath(work),
  NO_COLOR: '1',
  XDG_CONFIG_HOME: join(work, 'config'),
  SOURCE: resolve(import.meta.dirname, '..'),
};
try {
  for (const [command, prints] of steps) {
    console.log(`$ ${command}`);
    const { status, stdout, stderr } = spawnSync('sh', ['-c', command], {
      cwd: work,
      env: environment,
      encoding: 'utf8',
    });
    const output = stdout + stderr;
    console.log(output);
    if (status !== 0 || !prints.test(output)) {
      console.error(`The command ended with ${status}, and should end with 0 and print ${prints}.`);
      process.exitCode = 1;
      break;
    }
  }
} finally {
  // If a step failed, the service may still run.
  spawnSync('sh', ['-c', 'cd clone && npm stop'], { cwd: work, env: environment });
  await rm(work, { recursive: true });
}
