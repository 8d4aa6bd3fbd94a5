import { globSync, readFileSync } from 'node:fs';
import { join } from 'node:path';

import { root } from '../processes.ts';

/** A block of code in a page. */
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

/** The text of the only block of a page in that language that contains `text`. */
export function codeBlock(page: string, language: string, text: string): string {
  const [found, ...others] = codeBlocks(page).filter(
    (block) => block.language === language && block.text.includes(text),
  );
  if (!found || others.length > 0) {
    throw new Error(`${page} has no ${language} block, or several, with ${text}`);
  }
  return found.text;
}

/** The text below a heading of the second level, up to the next one. */
export function sectionOf(page: string, heading: string): string {
  const [, text = ''] = readPage(page).split(`\n## ${heading}\n`);
  const [section = ''] = text.split('\n## ');
  return section;
}

/** The cells of each row of the only table of a page that has this header line. */
export function tableRows(page: string, header: string): string[][] {
  const [, rows, ...others] = readPage(page).split(`\n${header}\n`);
  if (rows === undefined || others.length > 0) {
    throw new Error(`${page} has no table, or several, with the header ${header}`);
  }
  const lines = rows.split('\n').slice(1);
  return lines.slice(0, lines.indexOf('')).map((row) =>
    row
      .slice(1, -1)
      .split('|')
      .map((cell) => cell.trim()),
  );
}

/** Every page that people read. */
export const pages: readonly string[] = globSync('{*,docs/**/*,infra/*,shared/**/*}.md', {
  cwd: root,
}).toSorted();
