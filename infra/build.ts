import { hash } from 'node:crypto';
import { mkdir, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { join, resolve } from 'node:path';

import { build, type BuildOptions, type OutputFile, type Plugin } from 'esbuild';
import { zipSync } from 'fflate';

import { lockfileFor, type Lockfile, type Manifest } from './lockfile.ts';
import { pageAssets } from './build-page.ts';
import { targetNames, targets, type Target } from './targets.ts';
import { withoutPartsUnusedInFunctions } from './unused-parts.ts';

/**
 * `npm run build`: the files that package.json's `main` and `bin` name, and one folder to deploy per function.
 *
 * build/functions/index.js     all targets: `npx functions-framework --target=…`
 * build/cli/ee-video-exports.js
 * build/deploy/{target}/       function.cjs (all of the function except the framework), index.cjs (the main file, which runs it),
 *                              warm-up.cjs (see cold-start/), package.json, and package-lock.json; also storage-client.cjs for the
 *                              poller and the page, and video-worker.cjs for the poller
 * build/deploy/{target}.zip    the same, which Terraform uploads
 */

const root = resolve(import.meta.dirname, '..');

/** Never bundled: functions register in a module-level map, and a bundled copy would have its own, which nothing reads. */
const framework = '@google-cloud/functions-framework';

export const commonOptions: BuildOptions = {
  absWorkingDir: root,
  bundle: true,
  platform: 'node',
  target: 'node24',
  jsx: 'automatic',
  jsxImportSource: 'preact',
  logLevel: 'warning',
};

/** The page of `npm start` without emulators: build/local/page.js. */
export async function buildLocalPage(outDir: string): Promise<void> {
  await build({
    ...commonOptions,
    entryPoints: { page: 'infra/local/embedded/page.ts' },
    outdir: join(outDir, 'local'),
    format: 'esm',
    packages: 'external',
    plugins: [pageAssets(root)],
  });
}

/** Split, so a command loads Firestore's or Pub/Sub's client only if it needs it: 150 ms each. */
export async function buildCli(outDir: string): Promise<void> {
  await build({
    ...commonOptions,
    entryPoints: { 'ee-video-exports': 'cli/ee-video-exports.ts' },
    outdir: join(outDir, 'cli'),
    chunkNames: 'chunks/[name]-[hash]',
    format: 'esm',
    splitting: true,
    packages: 'external',
  });
}

/**
 * CommonJS starts faster than ESM here, also for what is imported late. Identifiers are kept: operators read stack traces, and
 * short ones do not start faster.
 */
const bundledOptions: BuildOptions = {
  ...commonOptions,
  format: 'cjs',
  supported: { 'dynamic-import': false },
  minifyWhitespace: true,
  minifySyntax: true,
  legalComments: 'none',
};

/** The process that reads videos: a file of its own, which shared/delivery/video/worker-file.ts names. */
const workerSource = 'shared/delivery/video/worker.ts';
const videoWorker = 'video-worker';

const workerAt = (extension: '.js' | '.cjs'): Plugin => ({
  name: 'worker-at',
  setup(bundling) {
    bundling.onLoad({ filter: /\/shared\/delivery\/video\/worker-file\.ts$/ }, () => ({
      contents: `export const workerFile = require('node:path').join(__dirname, '${videoWorker}${extension}');`,
      loader: 'js',
    }));
  },
});

/**
 * Cloud Storage's client, which only the poller and the page load, and only for a video, is a file of its own too: each
 * start would otherwise read its 1.5 MB.
 */
const storageClient = 'storage-client';
const storageClientApart = (extension: '.js' | '.cjs'): Plugin => ({
  name: 'storage-client-apart',
  setup(bundling) {
    bundling.onResolve({ filter: /\/storage\/client\.ts$/ }, ({ kind }) =>
      kind === 'entry-point' ? undefined : { path: `./${storageClient}${extension}`, external: true },
    );
  },
});

/**
 * Every function in one file, as it is deployed: a process for each of them would otherwise read hundreds of module files, which
 * takes longer than everything else that a local stack does to start.
 */
export async function buildMain(outDir: string): Promise<void> {
  const directory = join(outDir, 'functions');
  const { outputFiles } = await build({
    ...bundledOptions,
    write: false,
    entryPoints: {
      index: 'functions/index.ts',
      [videoWorker]: workerSource,
      [storageClient]: 'shared/storage/client.ts',
    },
    outdir: directory,
    external: [framework],
    plugins: [withoutPartsUnusedInFunctions, storageClientApart('.js'), pageAssets(root), workerAt('.js')],
  });
  await mkdir(directory, { recursive: true });
  const files = outputFiles.map(({ path, contents }) => [path, contents] as const);
  const type = [join(directory, 'package.json'), Buffer.from(json({ type: 'commonjs' }))] as const;
  await Promise.all([...files, type].map(([path, data]) => writeChanged(path, data)));
}

/** A stack that runs these files reads them at any time, so they are not written again unless they differ. */
async function writeChanged(path: string, data: Uint8Array): Promise<void> {
  const existing = await readFile(path).catch(() => undefined);
  if (!existing?.equals(data)) {
    await writeFile(path, data);
  }
}

/**
 * One function, with everything except the framework in function.cjs, since reading hundreds of module files takes most of a
 * cold start. The clients are in the same file, and are evaluated with the first request.
 *
 * @returns the modules in function.cjs, as paths
 */
export async function buildTarget(target: Target, outDir: string): Promise<string[]> {
  const directory = join(outDir, 'deploy', target);
  const { metafile, outputFiles } = await build({
    ...bundledOptions,
    metafile: true,
    write: false,
    stdin: {
      contents: [
        `import { http } from '${framework}';`,
        `import { ${target} } from './functions/${targets[target]}.ts';`,
        `http('${target}', ${target});`,
        // For the warm-up.
        target === 'showExports'
          ? `export { loadPage as load } from './functions/show-exports.ts';`
          : `export { loadRuntime as load } from './functions/runtime.ts';`,
      ].join('\n'),
      resolveDir: root,
      sourcefile: `${target}.entry.ts`,
      loader: 'ts',
    },
    outfile: join(directory, 'function.cjs'),
    external: [framework],
    plugins: [withoutPartsUnusedInFunctions, storageClientApart('.cjs'), pageAssets(root), workerAt('.cjs')],
  });
  const [{ path, contents }] = outputFiles as [OutputFile];
  await mkdir(directory, { recursive: true });
  await writeFile(path, contents);
  await buildStart(target, directory, hash('sha256', contents));
  if (target === 'pollExports' || target === 'showExports') {
    const client = { [storageClient]: 'shared/storage/client.ts' };
    await build({
      ...bundledOptions,
      entryPoints: target === 'pollExports' ? { ...client, [videoWorker]: workerSource } : client,
      outdir: directory,
      outExtension: { '.js': '.cjs' },
    });
  }
  const { manifest, lockfile } = await deployManifest(target);
  await writeFile(join(directory, 'package.json'), json(manifest));
  await writeFile(join(directory, 'package-lock.json'), json(lockfile));
  const names = await readdir(directory);
  const entries = names.map(async (name) => ({ name, data: await readFile(join(directory, name)) }));
  await writeFile(`${directory}.zip`, zip(await Promise.all(entries)));
  return Object.keys(metafile.inputs);
}

/** The main file, which runs function.cjs, and the warm-up, which `gcp-build` runs while the image is built. */
async function buildStart(target: Target, directory: string, codeHash: string): Promise<void> {
  const main = [
    `import { loadFunction } from './infra/cold-start/load.ts';`,
    `export const { load, keepCompiledCode } = loadFunction(require, __dirname, '${codeHash}');`,
  ];
  const warmUp = [
    `import { warmUp } from './infra/cold-start/warm-up.ts';`,
    `void warmUp('${target}', () => require('./index.cjs'));`,
  ];
  for (const [name, lines] of Object.entries({ 'index.cjs': main, 'warm-up.cjs': warmUp })) {
    await build({
      ...bundledOptions,
      stdin: { contents: lines.join('\n'), resolveDir: root, sourcefile: `${name}.entry.js` },
      outfile: join(directory, name),
      external: ['./index.cjs', framework],
    });
  }
}

/**
 * A zip archive whose bytes depend only on names and contents: Terraform names the uploaded source by its hash, so an archive
 * with the files' times would redeploy every function after every build.
 */
export function zip(entries: readonly { readonly name: string; readonly data: Uint8Array }[]): Uint8Array {
  const sorted = entries.toSorted((a, b) => (a.name < b.name ? -1 : 1));
  return zipSync(Object.fromEntries(sorted.map(({ name, data }) => [name, data])), {
    level: 9,
    // The earliest time that the format allows. It stores local times, so this is the same in every time zone.
    mtime: new Date(1980, 0, 1),
    // Made by Unix, a regular file, 0644: the buildpack reads the files as another user.
    os: 3,
    attrs: (0o100644 << 16) >>> 0,
  });
}

async function deployManifest(target: Target): Promise<{ manifest: Manifest; lockfile: Lockfile }> {
  const [{ dependencies, engines, version }, lock] = await Promise.all([
    readJson<Required<Pick<Manifest, 'dependencies' | 'engines' | 'version'>>>('package.json'),
    readJson<Lockfile>('package-lock.json'),
  ]);
  const exact = dependencies[framework];
  if (exact === undefined) {
    throw new Error(`package.json lacks ${framework}`);
  }
  const manifest: Manifest = {
    name: `ee-video-exports-${targets[target]}`,
    version,
    private: true,
    main: 'index.cjs',
    engines,
    scripts: {
      // Whatever happens to the warm-up, the function works.
      'gcp-build':
        'NODE_COMPILE_CACHE=.compile-cache NODE_COMPILE_CACHE_PORTABLE=1 node warm-up.cjs || echo The compiled code is incomplete',
    },
    dependencies: { [framework]: exact },
  };
  return { manifest, lockfile: lockfileFor(manifest, lock) };
}

async function readJson<T>(file: string): Promise<T> {
  return JSON.parse(await readFile(join(root, file), 'utf8')) as T;
}

function json(value: unknown): string {
  return `${JSON.stringify(value, undefined, 2)}\n`;
}

/** Builds every function into `{outDir}/deploy`. */
export async function buildDeploy(outDir: string): Promise<void> {
  await Promise.all(targetNames.map((target) => buildTarget(target, outDir)));
}

if (import.meta.main) {
  const outDir = join(root, 'build');
  // build/functions stays, since a local stack may be running it.
  await Promise.all(
    ['cli', 'deploy'].map((stale) => rm(join(outDir, stale), { recursive: true, force: true })),
  );
  await Promise.all([buildMain(outDir), buildCli(outDir), buildDeploy(outDir)]);
}
