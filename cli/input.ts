import { readFile } from 'node:fs/promises';

import { readJsonData } from '../shared/message/envelope.ts';
import type { Issue } from '../shared/model/rejected-message.ts';
import { type Cli, writeJson } from './cli.ts';
import { wrongInput } from './cli-error.ts';
import { printable } from './text.ts';

/** Messages and manifests as files, and what is wrong with them as `rejectedMessages` would have it. */

export async function readInput(cli: Cli, file: string): Promise<Uint8Array> {
  if (file === '-') {
    return cli.readStdin();
  }
  try {
    return await readFile(file);
  } catch (cause) {
    const { code = 'it failed' } = cause as NodeJS.ErrnoException;
    const why: Readonly<Record<string, string>> = {
      ENOENT: 'there is no such file',
      EISDIR: 'it is a folder',
      EACCES: 'you may not read it',
    };
    throw wrongInput(
      'FILE_UNREADABLE',
      `${file} cannot be read: ${why[code] ?? code}; name a file with JSON.`,
      {
        cause,
      },
    );
  }
}

/** The service's own reading of a message's data. */
export function readJson(
  data: Uint8Array,
): { readonly json: unknown } | { readonly issues: readonly Issue[] } {
  return readJsonData({ data, problem: undefined });
}

export function tellIssues(cli: Cli, file: string, reason: string, issues: readonly Issue[]): void {
  const { terminal } = cli;
  if (cli.json) {
    writeJson(cli, { file, reason, issues });
    return;
  }
  terminal.err(`${file}: ${reason}`);
  for (const { path, message } of issues) {
    terminal.err(`  ${path === '' ? '' : `${printable(path)}: `}${printable(message)}`);
  }
  if (reason === 'INVALID_JOB' && issues.some(({ path }) => path === 'job')) {
    terminal.err('  (this looks like a batch manifest: batch run publishes those)');
  }
  if (reason === 'INVALID_MANIFEST' && issues.some(({ path }) => path === 'request')) {
    terminal.err('  (this looks like a job message: submit publishes those)');
  }
  if (issues.some(({ message }) => /ALLOWED_(?:PROJECTS|DESTINATIONS)/.test(message))) {
    terminal.err('  (ALLOWED_… are read from this environment: set them as the service has them)');
  }
}
