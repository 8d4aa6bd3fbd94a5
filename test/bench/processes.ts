import { execFile } from 'node:child_process';
import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { promisify } from 'node:util';

import type { Target } from '../../infra/targets.ts';
import { root } from '../processes.ts';

/** @throws if `npm run build` has not written it */
export function deployedSource(target: Target): string {
  const source = join(root, 'build/deploy', target, 'index.cjs');
  if (!existsSync(source)) {
    throw new Error('The bundles are not built. Run npm run build first.');
  }
  return source;
}

/** The memory that a process uses. */
export async function residentMb(pid: number): Promise<number> {
  const { stdout } = await promisify(execFile)('ps', ['-o', 'rss=', '-p', String(pid)]);
  return Number(stdout) / 1024;
}
