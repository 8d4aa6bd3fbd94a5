import { readFileSync } from 'node:fs';
import { dirname, extname, join } from 'node:path';

/** A page that shows a file has it below a line that names it, so that readers see what the tests run. */

const languages: Readonly<Record<string, string>> = { '.py': 'python', '.mjs': 'js', '.json': 'json' };
const marker = /^(<!-- file: (\S+) -->\n)(?:\n```\w*\n.*?^```\n)?/gms;

/** Returns the page with each named file below its line. */
export function withFiles(page: string, text: string): string {
  return text.replaceAll(marker, (_whole, line: string, name: string) => {
    const file = readFileSync(join(dirname(page), name), 'utf8');
    return `${line}\n\`\`\`${languages[extname(name)] ?? ''}\n${file}\`\`\`\n`;
  });
}
