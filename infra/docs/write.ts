import { globSync, readFileSync, writeFileSync } from 'node:fs';
import { join, resolve } from 'node:path';

import { withFiles } from './includes.ts';
import { renderReference } from './reference.ts';

/* `npm run docs`: what the pages show of code and schemas is made from these. */

const docs = resolve(import.meta.dirname, '..', '..', 'docs');

writeFileSync(join(docs, 'reference.md'), renderReference());
for (const page of globSync(join(docs, '**', '*.md'))) {
  writeFileSync(page, withFiles(page, readFileSync(page, 'utf8')));
}
