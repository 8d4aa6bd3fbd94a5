import { readFile } from 'node:fs/promises';

import { readJsonData } from '../shared/message/envelope.ts';
import type { Finding } from '../shared/model/finding.ts';
import type { Issue } from '../shared/model/rejected-message.ts';
import type { Cli } from './cli.ts';
import { writeJson } from './output.ts';
import { wrongInput } from './cli-error.ts';
import { printable } from './text.ts';

/** Messages and manifests from files, and their mistakes in the form of `rejectedMessages`. */

export async function readInput(cli: Cli, file: string): Promise<Uint8Array> {
  if (file === '-') {
    return cli.readStdin();
  }
  try {
    return await readFile(file);
  } catch (cause) {
    const { code = 'unknown error' } = cause as NodeJS.ErrnoException;
    const why: Readonly<Record<string, string>> = {
      ENOENT: 'no such file',
      EISDIR: 'it is a folder',
      EACCES: 'permission denied',
    };
    throw wrongInput('FILE_UNREADABLE', `Cannot read ${file}: ${why[code] ?? code}. Give a JSON file.`, {
      cause,
    });
  }
}

/** Parses data exactly as the service parses a message. */
export function readJson(
  data: Uint8Array,
): { readonly json: unknown } | { readonly issues: readonly Issue[] } {
  return readJsonData({ data, problem: undefined });
}

/** What the check of a graph found in a message that is accepted nevertheless. */
export function writeFindings(cli: Cli, file: string, findings: readonly Finding[]): void {
  if (cli.json || findings.length === 0) {
    return;
  }
  const { terminal } = cli;
  for (const { severity, code, path, message, suggestion } of findings) {
    terminal.err(`${file}: ${severity === 'ERROR' ? 'error' : 'warning'} ${code}`);
    terminal.err(`  ${printable(path)}: ${printable(message)}. ${printable(suggestion)}`);
  }
}

export function writeIssues(cli: Cli, file: string, reason: string, issues: readonly Issue[]): void {
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
    terminal.err('  (this looks like a batch manifest; to publish one, use batch run)');
  }
  if (reason === 'INVALID_MANIFEST' && issues.some(({ path }) => path === 'request')) {
    terminal.err('  (this looks like a job message; to publish one, use submit)');
  }
  if (issues.some(({ message }) => /ALLOWED_(?:PROJECTS|DESTINATIONS)/.test(message))) {
    terminal.err('  (ALLOWED_… are settings of the service; doctor shows them)');
  }
}
