import { spawn, spawnSync } from 'node:child_process';
import { mkdtemp, open, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';

import { interruption } from './local/interrupt.ts';
import { readOptions, wrongOption } from './local/options.ts';
import { terraformObstacle } from './terraform.ts';

/**
 * The one list of checks. `npm run verify` runs it, and so do .ci/run and cloudbuild.yaml.
 *
 * The last line is "N passed, N failed": vitest's tests count one by one, every other check counts as one.
 */

const root = resolve(import.meta.dirname, '..');

export interface Check {
  readonly name: string;
  /** The check fails after this time, and its processes are killed. */
  readonly seconds: number;
  readonly command: readonly string[];
  /** Its test report, rather than its exit code, says what passed. */
  readonly countsTests?: true;
  /** It uses every core by itself, so no other check runs beside it. */
  readonly isAlone?: true;
  /** It writes to build/, as one check at a time may. */
  readonly builds?: true;
  /** Returns why the check cannot run here. It is then skipped. */
  readonly obstacle?: () => Promise<string | undefined>;
}

const npm = (script: string, ...options: readonly string[]) => ['npm', 'run', '-s', script, '--', ...options];

export const checks: readonly Check[] = [
  { name: 'format', seconds: 120, command: npm('format:check') },
  { name: 'lint', seconds: 240, command: npm('lint') },
  { name: 'types', seconds: 240, command: npm('types') },
  { name: 'dead code', seconds: 120, command: npm('dead-code') },
  { name: 'build', seconds: 120, command: npm('build'), builds: true },
  { name: 'tests', seconds: 1200, command: npm('test'), countsTests: true, isAlone: true },
  // The longest come first, so that none of them runs alone at the end.
  // Includes `terraform init`, `validate`, and `test` for each configuration.
  {
    name: 'terraform tests',
    seconds: 900,
    command: npm('test:terraform'),
    countsTests: true,
    obstacle: terraformObstacle,
  },
  // What is deployed and installed, and the commands that start the service.
  { name: 'release', seconds: 360, command: npm('test:release'), countsTests: true, builds: true },
  { name: 'simulations', seconds: 360, command: npm('test:simulation'), countsTests: true },
  { name: 'random schedules', seconds: 420, command: npm('fuzz', '--seeds', '1-300', '--seconds', '300') },
  { name: 'fault matrix', seconds: 360, command: npm('matrix', '--seeds', '2') },
  { name: 'new user', seconds: 480, command: ['node', 'test/new-user.ts'] },
  { name: 'only Node', seconds: 480, command: ['node', 'test/only-node-machine.ts'] },
  { name: 'chaos', seconds: 300, command: npm('chaos', '--jobs', '150', '--seconds', '30', '--seed', '7') },
  { name: 'model', seconds: 300, command: npm('model', '--states', '45000') },
  { name: 'demo', seconds: 120, command: npm('demo'), builds: true },
  { name: 'demo, embedded', seconds: 120, command: npm('demo', '--embedded'), builds: true },
  {
    name: 'python types',
    seconds: 60,
    command: ['mypy', '--strict', '--ignore-missing-imports', 'python/ee_video_exports'],
    obstacle: async () =>
      spawnSync('mypy', ['--version']).error === undefined ? undefined : 'mypy is not installed',
  },
  {
    name: 'terraform fmt',
    seconds: 60,
    command: ['terraform', 'fmt', '-check', '-recursive', 'infra'],
    obstacle: () => terraformObstacle(false),
  },
];

export interface Outcome {
  readonly passed: number;
  readonly failed: number;
  readonly skipped?: string;
}

/** How long a check that is stopped has to end its processes. */
const GRACE_MS = 20_000;

/** Runs the command in its own process group, so that nothing it starts outlives it. Resolves with its exit code. */
async function execute(
  { command: [program = '', ...args], seconds }: Check,
  more: readonly string[],
  interrupted: AbortSignal,
  output: number | 'inherit',
): Promise<number> {
  const child = spawn(program, [...args, ...more], {
    cwd: root,
    detached: true,
    stdio: ['ignore', output, output],
  });
  const signalGroup = (signal: NodeJS.Signals) => {
    try {
      process.kill(-(child.pid ?? Number.NaN), signal);
    } catch {
      // Every process of the group has ended.
    }
  };
  let kill: NodeJS.Timeout | undefined;
  const stop = () => {
    signalGroup('SIGTERM');
    kill = setTimeout(signalGroup, GRACE_MS, 'SIGKILL');
  };
  const timer = setTimeout(stop, seconds * 1000);
  interrupted.addEventListener('abort', stop);
  try {
    return await new Promise((resolve) => {
      child.once('error', (error) => {
        console.error(error.message);
        resolve(127);
      });
      child.once('exit', (code) => resolve(code ?? 1));
    });
  } finally {
    clearTimeout(timer);
    clearTimeout(kill);
    interrupted.removeEventListener('abort', stop);
    signalGroup('SIGKILL');
  }
}

/** @param output the file descriptor to which its processes write */
export async function run(
  check: Check,
  interrupted: AbortSignal,
  output: number | 'inherit' = 'inherit',
): Promise<Outcome> {
  const skipped = await check.obstacle?.();
  if (skipped !== undefined) {
    return { passed: 0, failed: 0, skipped };
  }
  if (!check.countsTests) {
    const code = await execute(check, [], interrupted, output);
    return code === 0 ? { passed: 1, failed: 0 } : { passed: 0, failed: 1 };
  }
  const directory = await mkdtemp(join(tmpdir(), 'verify-'));
  const file = join(directory, 'report.json');
  try {
    const reporters = ['--reporter=default', '--reporter=json', `--outputFile.json=${file}`];
    const code = await execute(check, reporters, interrupted, output);
    return outcomeOfTests(code, await readFile(file, 'utf8').catch(() => undefined));
  } finally {
    await rm(directory, { recursive: true });
  }
}

/** @param report vitest's JSON report, if it wrote one */
export function outcomeOfTests(code: number, report: string | undefined): Outcome {
  const counts = report === undefined ? {} : (JSON.parse(report) as Record<string, number>);
  const { numPassedTests: passed = 0, numFailedTests = 0, numPendingTests = 0, numTodoTests = 0 } = counts;
  // A test that does not run has not passed.
  const failed = numFailedTests + numPendingTests + numTodoTests;
  // The run can fail without a failed test: if a file cannot be loaded, or if there is no report.
  return failed === 0 && (code !== 0 || passed === 0) ? { passed, failed: 1 } : { passed, failed };
}

/** Most checks keep one core busy, or wait. */
const AT_ONCE = 2;

/**
 * Runs all of them, at most `AT_ONCE` at a time.
 *
 * @param one runs one check
 */
export async function runAll(all: readonly Check[], one: (check: Check) => Promise<void>): Promise<void> {
  const waiting = [...all];
  const running = new Map<Check, Promise<void>>();
  while (waiting.length > 0 || running.size > 0) {
    const next = waiting.findIndex((check) => mayStart(check, [...running.keys()]));
    const [check] = next === -1 ? [] : waiting.splice(next, 1);
    if (check) {
      running.set(
        check,
        one(check).finally(() => running.delete(check)),
      );
    } else {
      await Promise.race(running.values());
    }
  }
}

const mayStart = (check: Check, running: readonly Check[]): boolean =>
  running.length === 0 ||
  (running.length < AT_ONCE &&
    !check.isAlone &&
    !running.some((other) => other.isAlone === true || (other.builds === true && check.builds === true)));

const usage = `usage: npm run verify [-- [--no-skip] [CHECK…]]

Runs every check, or only those that are named: ${checks.map(({ name }) => name).join('; ')}.
--no-skip counts a check that cannot run here as failed.`;

async function main(): Promise<void> {
  const { values, positionals } = readOptions(usage, {
    allowPositionals: true,
    options: { 'no-skip': { type: 'boolean', default: false } },
  });
  const unknown = positionals.find((name) => !checks.some((check) => check.name === name));
  if (unknown !== undefined) {
    wrongOption(`There is no check ${unknown}.`, usage);
  }
  const chosen = checks.filter(({ name }) => positionals.length === 0 || positionals.includes(name));
  const interrupted = interruption();
  const lines = new Map<Check, string>();
  let passed = 0;
  let failed = 0;
  const directory = await mkdtemp(join(tmpdir(), 'verify-output-'));
  const checkOne = async (check: Check): Promise<void> => {
    // What two checks print at the same time appears when each of them ends.
    const file = join(directory, check.name);
    const opened = chosen.length === 1 || check.isAlone ? undefined : await open(file, 'w');
    const began = performance.now();
    const outcome = await run(check, interrupted, opened?.fd);
    await opened?.close();
    if (interrupted.aborted) {
      process.exit(130);
    }
    const counts = `${outcome.passed} passed, ${outcome.failed} failed`;
    const seconds = Math.round((performance.now() - began) / 1000);
    const line = outcome.skipped === undefined ? `${counts}, ${seconds} s` : `SKIPPED: ${outcome.skipped}`;
    lines.set(check, `${check.name.padEnd(20)} ${line}`);
    console.log(`\n── ${check.name}\n${opened ? await readFile(file, 'utf8') : ''}── ${lines.get(check)}`);
    passed += outcome.passed;
    failed += outcome.failed + (values['no-skip'] && outcome.skipped !== undefined ? 1 : 0);
  };
  await runAll(chosen, checkOne);
  await rm(directory, { recursive: true });
  console.log(
    `\n${chosen.map((check) => lines.get(check)).join('\n')}\n\n${passed} passed, ${failed} failed`,
  );
  process.exitCode = failed === 0 ? 0 : 1;
}

if (import.meta.main) {
  await main();
}
