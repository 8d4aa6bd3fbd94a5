import { spawn, spawnSync } from 'node:child_process';
import { cp, mkdir, mkdtemp, readFile, rm, symlink, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { dirname, join, resolve } from 'node:path';

import { type Mutant, mutate } from './mutant.ts';

/** A copy of the working tree in which mutants are tested one after another. The tree itself never changes. */

export const root = resolve(import.meta.dirname, '../..');

/** A mutant can make a loop endless: its test should have a limit. The slowest test file needs a fraction of this time. */
const MUTANT_TIMEOUT_MS = 120_000;
const UNCHANGED_TIMEOUT_MS = 1_200_000;

export type Outcome =
  /** A test failed. */
  | { readonly kind: 'KILLED'; readonly by: string }
  /** The tests did not end. That proves nothing, since a busy machine can be the reason. */
  | { readonly kind: 'TIMED_OUT'; readonly seconds: number }
  | { readonly kind: 'SURVIVED' }
  /** The text is not in the file, the changed file is not valid code, or a test file cannot be loaded. */
  | { readonly kind: 'BROKEN'; readonly output: string };

export interface Scratch {
  /** Applies the mutant, runs its tests until one fails, and restores the file. */
  test(mutant: Mutant): Promise<Outcome>;
  /** Runs test files on the unchanged code. */
  testUnchanged(files: readonly string[], workers: number): Promise<Outcome>;
  remove(): Promise<void>;
}

/** The output of git, one path a line. */
export function gitPaths(...args: readonly string[]): string[] {
  const { status, stdout, stderr } = spawnSync('git', args, {
    cwd: root,
    encoding: 'utf8',
    maxBuffer: 64 * 1024 * 1024,
  });
  if (status !== 0) {
    throw new Error(`git ${args.join(' ')} failed: ${stderr}`);
  }
  return stdout.split('\n').filter((line) => line !== '');
}

/** @param interrupted ends the tests that run */
export async function createScratch(interrupted: AbortSignal): Promise<Scratch> {
  const directory = await mkdtemp(join(tmpdir(), 'mutants-'));
  // Also what is not committed yet. A deleted file is still listed.
  const files = gitPaths('ls-files', '--cached', '--others', '--exclude-standard');
  for (const file of new Set(files)) {
    await mkdir(join(directory, dirname(file)), { recursive: true });
    await cp(join(root, file), join(directory, file)).catch((error: NodeJS.ErrnoException) => {
      if (error.code !== 'ENOENT') {
        throw error;
      }
    });
  }
  for (const linked of ['node_modules', 'build']) {
    await symlink(join(root, linked), join(directory, linked));
  }

  return {
    async test(mutant) {
      const path = join(directory, mutant.file);
      const source = await readFile(path, 'utf8');
      let changed: string;
      try {
        changed = mutate(source, mutant);
      } catch (error) {
        return { kind: 'BROKEN', output: (error as Error).message };
      }
      try {
        await writeFile(path, changed);
        return await runVitest(directory, mutant.tests, 1, MUTANT_TIMEOUT_MS, interrupted);
      } finally {
        await writeFile(path, source);
      }
    },
    testUnchanged: (tests, workers) =>
      runVitest(directory, tests, workers, UNCHANGED_TIMEOUT_MS, interrupted),
    remove: () => rm(directory, { recursive: true, force: true }),
  };
}

async function runVitest(
  directory: string,
  tests: readonly string[],
  workers: number,
  timeoutMs: number,
  interrupted: AbortSignal,
): Promise<Outcome> {
  const report = join(directory, 'report.json');
  await rm(report, { force: true });
  const child = spawn(
    process.execPath,
    [
      'node_modules/vitest/vitest.mjs',
      'run',
      ...tests,
      '--bail=1',
      // Some tests measure time, and fail at times on a busy machine.
      '--retry=2',
      `--maxWorkers=${workers}`,
      // The linked node_modules belong to the working tree.
      `--fsModuleCachePath=${join(directory, '.vitest-cache')}`,
      '--reporter=json',
      `--outputFile=${report}`,
    ],
    { cwd: directory, detached: true, stdio: ['ignore', 'pipe', 'pipe'] },
  );
  let output = '';
  for (const stream of [child.stdout, child.stderr]) {
    stream.setEncoding('utf8').on('data', (text: string) => (output = (output + text).slice(-4000)));
  }
  let isLate = false;
  const kill = () => {
    try {
      process.kill(-(child.pid ?? Number.NaN), 'SIGKILL');
    } catch {
      // It has ended.
    }
  };
  const timer = setTimeout(() => {
    isLate = true;
    kill();
  }, timeoutMs);
  interrupted.addEventListener('abort', kill);
  const code = await new Promise<number>((resolve) => {
    child.once('error', () => resolve(127));
    child.once('close', (status) => resolve(status ?? 1));
  });
  clearTimeout(timer);
  interrupted.removeEventListener('abort', kill);
  interrupted.throwIfAborted();
  if (isLate) {
    return { kind: 'TIMED_OUT', seconds: timeoutMs / 1000 };
  }
  return outcomeOf(code, await readFile(report, 'utf8').catch(() => undefined), output);
}

interface Report {
  readonly testResults: readonly {
    readonly message?: string;
    readonly assertionResults: readonly { readonly status: string; readonly fullName: string }[];
  }[];
}

function outcomeOf(code: number, json: string | undefined, output: string): Outcome {
  const { testResults }: Report = json === undefined ? { testResults: [] } : (JSON.parse(json) as Report);
  const tests = testResults.flatMap(({ assertionResults }) => assertionResults);
  const failed = tests.find(({ status }) => status === 'failed');
  if (failed) {
    return { kind: 'KILLED', by: failed.fullName };
  }
  if (code === 0 && tests.some(({ status }) => status === 'passed')) {
    return { kind: 'SURVIVED' };
  }
  const messages = testResults.flatMap(({ message }) => (message ? [message] : []));
  return { kind: 'BROKEN', output: messages.join('\n') || output };
}
