import { spawnSync } from 'node:child_process';
import { chmod, copyFile, mkdir, readFile, rm, writeFile } from 'node:fs/promises';
import { join, resolve } from 'node:path';

import { build, type Plugin } from 'esbuild';

import { commonOptions } from './build.ts';
import { readOptions, wrongOption } from './local/options.ts';
import { withoutUnusedParts } from './unused-parts.ts';

/**
 * `npm run package`: the command line alone, as an npm package for machines without this repository.
 *
 * build/package/                        what is in the package
 * build/ee-video-exports-{version}.tgz  what `npm install` takes
 *
 * It has no dependencies: everything it runs is bundled, so an installation is one download, and it runs exactly what was tested.
 */

const root = resolve(import.meta.dirname, '..');

/** The name that npm allows for a package, with or without a scope. */
const packageName = /^(?:@[a-z0-9-][a-z0-9._-]*\/)?[a-z0-9-][a-z0-9._-]*$/;

const usage = `usage: npm run package [-- --name NAME]

Builds build/NAME-VERSION.tgz, a package with the command line alone.
--name is the name in your registry, such as @my-team/ee-video-exports (default: ee-video-exports).`;

/**
 * What a library loads late from a CommonJS package. In ES modules, esbuild gives such an import no names but `default`, and without
 * this one, the command line would fail behind a proxy.
 */
const namesOfLateImports: Plugin = {
  name: 'names-of-late-imports',
  setup(bundling) {
    const namespace = 'late-import';
    bundling.onResolve({ filter: /^https-proxy-agent$/ }, ({ kind, path, resolveDir }) =>
      kind === 'dynamic-import' ? { path, namespace, pluginData: resolveDir } : undefined,
    );
    bundling.onLoad({ filter: /./, namespace }, ({ path, pluginData }) => ({
      contents: `export { HttpsProxyAgent } from '${path}';`,
      resolveDir: pluginData as string,
    }));
  },
};

/** @returns the path of the package */
export async function buildPackage(outDir: string, name = 'ee-video-exports'): Promise<string> {
  const directory = join(outDir, 'package');
  await rm(directory, { recursive: true, force: true });
  await build({
    ...commonOptions,
    entryPoints: { 'ee-video-exports': 'cli/ee-video-exports.ts' },
    outdir: join(directory, 'bin'),
    chunkNames: 'chunks/[name]-[hash]',
    format: 'esm',
    // A command loads only what it needs, as in the repository.
    splitting: true,
    plugins: [withoutUnusedParts, namesOfLateImports],
    minifyWhitespace: true,
    minifySyntax: true,
    legalComments: 'linked',
    // Google's clients are CommonJS, and call require for what Node brings.
    banner: {
      js: [
        `import { createRequire as createRequireForBundle } from 'node:module';`,
        `import { fileURLToPath as fileUrlToPathForBundle } from 'node:url';`,
        `import { dirname as dirnameForBundle } from 'node:path';`,
        `const require = createRequireForBundle(import.meta.url);`,
        `const __filename = fileUrlToPathForBundle(import.meta.url);`,
        `const __dirname = dirnameForBundle(__filename);`,
      ].join(''),
    },
  });
  const { version, license } = JSON.parse(await readFile(join(root, 'package.json'), 'utf8')) as Readonly<
    Record<string, unknown>
  >;
  const manifest = {
    name,
    version,
    description: 'The command line of Earth Engine video exports',
    license,
    type: 'module',
    bin: { 'ee-video-exports': 'bin/ee-video-exports.js' },
    engines: { node: '>=24' },
  };
  await writeFile(join(directory, 'package.json'), `${JSON.stringify(manifest, undefined, 2)}\n`);
  await chmod(join(directory, 'bin/ee-video-exports.js'), 0o755);
  await copyFile(join(root, 'LICENSE'), join(directory, 'LICENSE'));
  await mkdir(outDir, { recursive: true });
  const packed = spawnSync('npm', ['pack', '--json', '--pack-destination', outDir, directory], {
    encoding: 'utf8',
  });
  if (packed.status !== 0) {
    throw new Error(`npm pack failed: ${packed.stderr}`);
  }
  const [{ filename }] = JSON.parse(packed.stdout) as [{ filename: string }];
  return join(outDir, filename);
}
if (import.meta.main) {
  const { values } = readOptions(usage, {
    options: { name: { type: 'string', default: 'ee-video-exports' } },
  });
  if (!packageName.test(values.name)) {
    wrongOption(`${values.name} is not a name that npm allows.`, usage);
  }
  console.log(await buildPackage(join(root, 'build'), values.name));
}
