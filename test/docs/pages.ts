import { globSync, readFileSync } from 'node:fs';
import { join } from 'node:path';

import { root } from '../infra/local/processes.ts';

/** A block of code of a page, with what its comment says of it. */
export interface CodeBlock {
  readonly page: string;
  readonly language: string;
  readonly text: string;
  /** `<!-- ends with N -->` above it, else 0. */
  readonly exitCode: number;
}

const fence = /^(?:<!-- ends with (\d+) -->\n)?```(\w+)\n(.*?)^```$/gms;

export const readPage = (page: string): string => readFileSync(join(root, page), 'utf8');

export function codeBlocks(page: string): CodeBlock[] {
  return [...readPage(page).matchAll(fence)].map(([, exitCode = '0', language = '', text = '']) => ({
    page,
    language,
    text,
    exitCode: Number(exitCode),
  }));
}

/** Every page of docs/, and CONTRIBUTING. */
export const pages: readonly string[] = [
  ...globSync('docs/**/*.md', { cwd: root }).toSorted(),
  'CONTRIBUTING.md',
];
