import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdir, open, readFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';

import { buildFolder } from './function-process.ts';
import { LocalError } from './local-error.ts';

const logFile = join(buildFolder, 'local.log');

/**
 * Starts the script again in the background, and waits until it has started.
 *
 * @returns what it printed for its user, and where it logs
 * @throws LocalError with its output, if it ends instead
 */
export async function runDetached(
  script: string,
  args: readonly string[],
): Promise<{ readonly description: string; readonly pid: number; readonly logFile: string }> {
  await mkdir(dirname(logFile), { recursive: true });
  const log = await open(logFile, 'w');
  // Without npm's variable: with it, the script would end when its parent does.
  const { npm_lifecycle_event: _npm, ...env } = process.env;
  const child = spawn(process.execPath, [script, ...args], {
    detached: true,
    stdio: ['ignore', log.fd, log.fd, 'ipc'],
    env,
  });
  await log.close();
  const first = await Promise.race([
    once(child, 'message').then(([message]) => (message as { readonly started: string }).started),
    once(child, 'exit').then(() => undefined),
  ]);
  if (first === undefined) {
    throw new LocalError('START_FAILED', (await readFile(logFile, 'utf8')).trim());
  }
  child.disconnect();
  child.unref();
  return { description: first, pid: child.pid as number, logFile };
}
