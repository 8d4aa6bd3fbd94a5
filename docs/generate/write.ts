import { globSync, readFileSync, writeFileSync } from 'node:fs';
import { join, resolve } from 'node:path';

import { renderBeliefs } from './beliefs.ts';
import { withFiles } from './includes.ts';
import { edges } from '../../shared/record/edges.ts';
import { renderReference } from './reference.ts';
import { withStates } from './state-diagram.ts';

/* `npm run docs` writes what the pages show of code and schemas. */

const root = resolve(import.meta.dirname, '..', '..');

writeFileSync(join(root, 'docs', 'reference.md'), renderReference());
writeFileSync(join(root, 'docs', 'earth-engine.md'), renderBeliefs());
for (const page of globSync(join(root, '{docs/**/*,shared/README}.md'))) {
  writeFileSync(page, withStates(withFiles(page, readFileSync(page, 'utf8')), edges));
}
