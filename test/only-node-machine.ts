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
  [
    'cd clone && npm test -- test/layout.test.ts',
    /1 passed[^]*\nLeft out: \d+ test files \(\*\.emulator\.test\.ts\), because .*\. README\.md, "Try it"/,
  ],
];

const work = await mkdtemp(join(tmpdir(), 'only-node-machine-'));
try {
  // Everything else stays: npm may need variables to reach its registry.
  const {
    CI: _ci,
    JAVA_HOME: _java,
    FIRESTORE_EMULATOR_HOST: _firestore,
    PUBSUB_EMULATOR_HOST: _pubsub,
    ...others
  } = process.env;
  const environment = {
    ...others,
    PATH: await createOnlyNodePath(work),
    NO_COLOR: '1',
    SOURCE: resolve(import.meta.dirname, '..'),
  };
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
  await rm(work, { recursive: true });
}
