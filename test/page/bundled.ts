import { basename, join, resolve } from 'node:path';
import { pathToFileURL } from 'node:url';

import { build } from 'esbuild';

/** Imports a module that needs the page's components: Node itself runs no `.tsx` files. */
export async function importBundled<M>(entry: string): Promise<M> {
  const root = resolve(import.meta.dirname, '..', '..');
  // As deep as this folder, so that paths from a module's own folder stay right.
  const outfile = join(root, 'build', 'bundled', `${basename(entry, '.ts')}.mjs`);
  await build({
    absWorkingDir: root,
    entryPoints: [entry],
    outfile,
    bundle: true,
    platform: 'node',
    format: 'esm',
    target: 'node24',
    packages: 'external',
    jsx: 'automatic',
    jsxImportSource: 'preact',
    logLevel: 'warning',
  });
  return (await import(pathToFileURL(outfile).href)) as M;
}
