import { readFileSync } from 'node:fs';
import { join } from 'node:path';

import { root } from './processes.ts';

export const readme = readFileSync(join(root, 'README.md'), 'utf8');

/** The text of every fenced block in that language, as it stands. */
export function blocks(language: string): string[] {
  return [...readme.matchAll(new RegExp(`^\`\`\`${language}\n(.*?)^\`\`\``, 'gms'))].map(
    ([, text]) => text as string,
  );
}

/** The only block of that language that contains `text`. */
export function block(language: string, text: string): string {
  const found = blocks(language).filter((each) => each.includes(text));
  if (found.length !== 1) {
    throw new Error(`README has ${found.length} ${language} blocks with ${text}`);
  }
  return found[0] as string;
}

/** The cells of each row of the table below that header line, code marks removed from the first. */
export function table(header: string): string[][] {
  const lines = readme.split('\n');
  const start = lines.indexOf(header);
  if (start < 0) {
    throw new Error(`README has no table with the header ${header}`);
  }
  const rows = lines.slice(start + 2);
  return rows.slice(0, rows.indexOf('')).map((row) =>
    row
      .slice(1, -1)
      .split('|')
      .map((cell) => cell.trim()),
  );
}
