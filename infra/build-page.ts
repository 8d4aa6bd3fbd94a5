import { readFile } from 'node:fs/promises';
import { hash } from 'node:crypto';
import { basename, join } from 'node:path';
import { promisify } from 'node:util';
import { brotliCompress, constants, gzip } from 'node:zlib';

import { build, type Plugin } from 'esbuild';

import type { Asset, Assets } from '../page/server/assets.ts';

/**
 * The files that the page's browser loads: scripts, a style sheet, and an icon. Each name has the hash of the content, so browsers
 * keep them for a year.
 */

const types: Readonly<Record<string, string>> = {
  css: 'text/css; charset=utf-8',
  js: 'text/javascript; charset=utf-8',
  svg: 'image/svg+xml',
};

export async function buildAssets(root: string): Promise<Assets> {
  const { outputFiles } = await build({
    absWorkingDir: root,
    entryPoints: { page: 'page/client/main.tsx', style: 'page/style.css' },
    bundle: true,
    splitting: true,
    write: false,
    outdir: 'assets',
    entryNames: '[name]-[hash]',
    chunkNames: 'chunk-[hash]',
    format: 'esm',
    platform: 'browser',
    target: ['es2023', 'chrome123', 'firefox128', 'safari17.5'],
    jsx: 'automatic',
    jsxImportSource: 'preact',
    minify: true,
    legalComments: 'none',
    logLevel: 'warning',
    plugins: [chartLanguage],
  });
  const icon = await readFile(join(root, 'page/icon.svg'));
  const files = [
    ...outputFiles.map(({ path, contents }) => ({ name: basename(path), contents })),
    { name: `icon-${hash('sha256', icon, 'hex').slice(0, 8).toUpperCase()}.svg`, contents: icon },
  ];
  const named = (pattern: RegExp): string => {
    const found = files.find(({ name }) => pattern.test(name));
    if (!found) {
      throw new Error(`The build of the page made no ${String(pattern)}`);
    }
    return found.name;
  };
  return {
    files: await Promise.all(files.map(({ name, contents }) => compressed(name, contents))),
    script: named(/^page-.*\.js$/),
    style: named(/^style-.*\.css$/),
    icon: named(/^icon-/),
  };
}

/**
 * The charting library passes the browser's language to `Intl` while it loads. With LC_ALL=POSIX, Chromium reports `en-US@posix`,
 * which is no valid tag, so that the library fails to load. The page is in English anyway.
 */
const chartLanguage: Plugin = {
  name: 'chart-language',
  setup(bundling) {
    bundling.onLoad({ filter: /[\\/]uPlot\.esm\.js$/ }, async ({ path }) => {
      const source = await readFile(path, 'utf8');
      const contents = source.replace("Intl.NumberFormat(domEnv ? nav.language : 'en-US')", "Intl.NumberFormat('en-US')");
      if (contents === source) {
        throw new Error('uPlot no longer reads the language as build-page.ts expects');
      }
      return { contents, loader: 'js' };
    });
  },
};

async function compressed(name: string, contents: Uint8Array): Promise<Asset> {
  const params = {
    [constants.BROTLI_PARAM_QUALITY]: constants.BROTLI_MAX_QUALITY,
    [constants.BROTLI_PARAM_SIZE_HINT]: contents.length,
  };
  const [small, fallback] = await Promise.all([
    promisify(brotliCompress)(contents, { params }),
    promisify(gzip)(contents, { level: 9 }),
  ]);
  return {
    name,
    type: types[name.split('.').at(-1) ?? ''] ?? 'application/octet-stream',
    brotli: small.toString('base64'),
    gzip: fallback.toString('base64'),
  };
}

/** Makes `import { assets } from 'page:assets'` the files themselves: a deployed function then needs no other file. */
export const pageAssets = (root: string): Plugin => ({
  name: 'page-assets',
  setup(bundling) {
    bundling.onResolve({ filter: /^page:assets$/ }, ({ path }) => ({ path, namespace: 'page-assets' }));
    bundling.onLoad({ filter: /.*/, namespace: 'page-assets' }, async () => ({
      contents: `export const assets = ${JSON.stringify(await buildAssets(root))};`,
      loader: 'js',
    }));
  },
});
