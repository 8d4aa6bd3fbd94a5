import { spawnSync } from 'node:child_process';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';

import { codeBlock } from './docs/pages.ts';
import { run, withoutEmulators } from './processes.ts';

/**
 * `node test/new-user.ts`: from a clone to a watched batch in five commands, the last one in a second terminal, without exports.
 * The commands are README's.
 */

const line = (text: string): string =>
  codeBlock('README.md', 'sh', text)
    .split('\n')
    .find((each) => each.includes(text)) ?? '';

const work = await mkdtemp(join(tmpdir(), 'new-user-'));
const environment = {
  ...withoutEmulators,
  GOOGLE_CLOUD_PROJECT: undefined,
  XDG_CONFIG_HOME: join(work, 'config'),
  NO_COLOR: '1',
};

function inFirstTerminal(command: string, folder: string): void {
  console.log(`$ ${command}`);
  const { status, stdout, stderr } = spawnSync('sh', ['-c', command], {
    cwd: folder,
    env: environment,
    encoding: 'utf8',
  });
  if (status !== 0) {
    throw new Error(`${command} ended with ${status}:\n${stdout}${stderr}`);
  }
}

try {
  const clone = join(work, 'clone');
  inFirstTerminal(`git clone --quiet --no-hardlinks ${resolve(import.meta.dirname, '..')} clone`, work);
  inFirstTerminal(line('npm ci'), clone);
  console.log('$ npm start');
  const start = run('sh', ['-c', 'npm start'], environment, clone);
  try {
    await start.printed('Events of the service:');
    const batch = line('batch run');
    console.log(`In a second terminal:\n$ ${batch}`);
    const watching = run('sh', ['-c', batch], environment, clone);
    const code = await watching.closed;
    console.log(watching.output());
    if (code !== 0 || !/3 of 3 ended {2}SUCCEEDED 3/.test(watching.output())) {
      throw new Error(`The batch ended with ${code}`);
    }
  } finally {
    inFirstTerminal('npm stop', clone);
    await start.closed;
  }
} finally {
  await rm(work, { recursive: true });
}
