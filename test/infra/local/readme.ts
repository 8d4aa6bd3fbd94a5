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
