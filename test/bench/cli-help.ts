import { execFileSync, spawnSync } from 'node:child_process';
import { existsSync } from 'node:fs';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

import { buildPackage } from '../../infra/package.ts';
import { root } from '../processes.ts';
import { type Bench, median, type Row } from './table.ts';

/**
 * How fast the built command line starts, compared with a Node process that does nothing, and how fast `npx` runs it from the
 * tarball of `npm run package`, which includes the unpacking of a new package. The two alternate.
 */

const RUNS = 15;
const MORE_MS = 150;
const NPX_MOST_MS = 2000;

const cli = join(root, 'build/cli/ee-video-exports.js');

async function run(): Promise<Row[]> {
  if (!existsSync(cli)) {
    throw new Error('The command line is not built. Run npm run build first.');
  }
  execFileSync(process.execPath, [cli, '--help']);
  const help: number[] = [];
  const idle: number[] = [];
  for (let n = 0; n < RUNS; n += 1) {
    idle.push(timeOf(['-e', '0']));
    help.push(timeOf([cli, '--help']));
  }
  const baseline = median(idle);
  return [
    {
      what: '--help, compared with node -e 0',
      value: median(help),
      baseline,
      unit: 'ms',
      most: baseline + MORE_MS,
    },
    await runFromTarball(baseline),
  ];
}

async function runFromTarball(baseline: number): Promise<Row> {
  const work = await mkdtemp(join(tmpdir(), 'cli-help-'));
  try {
    const tarball = await buildPackage(work);
    const began = performance.now();
    // A cache of its own, so that npx has nothing from an earlier run.
    const args = ['--offline', '--yes', `--cache=${work}/cache`, `--package=${tarball}`];
    const { status, stderr } = spawnSync('npx', [...args, 'ee-video-exports', '--help']);
    if (status !== 0) {
      throw new Error(`npx ended with ${status}: ${String(stderr)}`);
    }
    return {
      what: '--help with npx from the tarball',
      value: performance.now() - began,
      baseline,
      unit: 'ms',
      most: NPX_MOST_MS,
    };
  } finally {
    await rm(work, { recursive: true });
  }
}

function timeOf(args: readonly string[]): number {
  const began = performance.now();
  const { status } = spawnSync(process.execPath, args, { stdio: ['ignore', 'pipe', 'pipe'] });
  if (status !== 0) {
    throw new Error(`node ${args.join(' ')} ended with ${status}`);
  }
  return performance.now() - began;
}

const bench: Bench = { name: 'cli-help', run };
export default bench;
