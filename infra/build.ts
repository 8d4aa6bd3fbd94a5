import { readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { join, resolve } from 'node:path';

import { build, type BuildOptions, type Plugin } from 'esbuild';

import { lockfileFor, type Lockfile, type Manifest } from './lockfile.ts';
import { targetNames, targets, type Target } from './targets.ts';
import { zip } from './zip.ts';

/**
 * `npm run build`: what package.json's `main` and `bin` point to, and one folder per function to deploy.
 *
 * build/functions/index.js     all targets, packages left in node_modules: `npx functions-framework --target=…`
 * build/cli/ee-video-exports.js
 * build/deploy/{target}/       one file and a small package.json
 * build/deploy/{target}.zip    the same, as Terraform uploads it
 */

const root = resolve(import.meta.dirname, '..');

/** Registration lives in a module-level map: a second, bundled copy of it would register into nothing. */
const framework = '@google-cloud/functions-framework';

const common: BuildOptions = {
  absWorkingDir: root,
  bundle: true,
  platform: 'node',
  target: 'node24',
  logLevel: 'warning',
};

export async function buildMain(outDir: string): Promise<void> {
  await build({
    ...common,
    entryPoints: { index: 'functions/index.ts' },
    outdir: join(outDir, 'functions'),
    format: 'esm',
    packages: 'external',
    sourcemap: true,
  });
}

/** Split, so that a command loads Firestore's or Pub/Sub's client only where it needs them: 150 ms each. */
export async function buildCli(outDir: string): Promise<void> {
  await build({
    ...common,
    entryPoints: { 'ee-video-exports': 'cli/ee-video-exports.ts' },
    outdir: join(outDir, 'cli'),
    chunkNames: 'chunks/[name]-[hash]',
    format: 'esm',
    splitting: true,
    packages: 'external',
  });
}

/**
 * Google's clients load every message type as generated code and only export it again, two megabytes and 50 ms of it: what
 * they send is made from the JSON form. (Firestore's own types are used, and stay.) Emulator tests run the bundles.
 */
const withoutUnusedTypes: Plugin = {
  name: 'without-unused-types',
  setup(bundling) {
    const emptied = new Set<string>();
    const unused = [
      '@google-cloud/pubsub/build/protos/protos.js',
      '@google-cloud/pubsub-api/build/protos/protos.js',
      'google-gax/build/protos/iam_service.js',
      'google-gax/build/protos/locations.js',
    ];
    bundling.onLoad({ filter: /\/build\/protos\/(?:protos|iam_service|locations)\.js$/ }, ({ path }) => {
      const found = unused.find((file) => path.endsWith(`/node_modules/${file}`));
      if (found === undefined) {
        return undefined;
      }
      emptied.add(found);
      return { contents: 'module.exports = {};', loader: 'js' };
    });
    bundling.onEnd(() => {
      const missed = unused.filter((file) => !emptied.has(file));
      return missed.length === 0
        ? {}
        : { warnings: missed.map((file) => ({ text: `${file} is not there any more` })) };
    });
  },
};

/**
 * One function, on its own: everything but the framework in one file, since reading hundreds of module files is most of a
 * cold start. CommonJS starts faster than ESM here, and the clients that a function imports with its first request are
 * evaluated then, from the same file.
 */
async function buildTarget(target: Target, outDir: string): Promise<void> {
  const directory = join(outDir, 'deploy', target);
  await build({
    ...common,
    stdin: {
      contents: [
        `import { http } from '${framework}';`,
        `import { ${target} } from './functions/${targets[target]}.ts';`,
        `http('${target}', ${target});`,
        // For the warm-up below.
        `export { loadRuntime } from './functions/runtime.ts';`,
      ].join('\n'),
      resolveDir: root,
      sourcefile: `${target}.entry.ts`,
      loader: 'ts',
    },
    outfile: join(directory, 'index.cjs'),
    format: 'cjs',
    external: [framework],
    plugins: [withoutUnusedTypes],
    // Names stay: operators read stack traces, and shorter ones start no faster.
    minifyWhitespace: true,
    minifySyntax: true,
    legalComments: 'none',
  });
  const { manifest, lockfile } = await deployManifest(target);
  await writeFile(join(directory, 'package.json'), json(manifest));
  await writeFile(join(directory, 'package-lock.json'), json(lockfile));
  await writeFile(join(directory, 'warm-up.cjs'), warmUp);
  const names = await readdir(directory);
  const entries = names.map(async (name) => ({ name, data: await readFile(join(directory, name)) }));
  await writeFile(`${directory}.zip`, zip(await Promise.all(entries)));
}

/**
 * Loads the function and its clients once where it is built, so that the image holds V8's compiled code (functions.tf points
 * NODE_COMPILE_CACHE at it). Nothing is called: no address in it exists. A missing cache only costs the time that it would
 * have saved, so a build must not fail over it.
 */
const warmUp = `const { flushCompileCache } = require('node:module');
process.env.GOOGLE_CLOUD_PROJECT = 'demo-build';
process.env.EARTHENGINE_EMULATOR_HOST = process.env.FIRESTORE_EMULATOR_HOST = process.env.PUBSUB_EMULATOR_HOST = '127.0.0.1:1';
require('${framework}');
const end = (problem) => {
  if (problem) console.warn('No compile cache:', problem);
  flushCompileCache();
  process.exit(0);
};
require('./index.cjs').loadRuntime().then(() => end(), end);
`;

async function deployManifest(target: Target): Promise<{ manifest: Manifest; lockfile: Lockfile }> {
  const [{ dependencies, engines, version }, lock] = await Promise.all([
    readJson<Required<Pick<Manifest, 'dependencies' | 'engines' | 'version'>>>('package.json'),
    readJson<Lockfile>('package-lock.json'),
  ]);
  const exact = dependencies[framework];
  if (exact === undefined) {
    throw new Error(`package.json does not name ${framework}`);
  }
  const manifest: Manifest = {
    name: `ee-video-exports-${targets[target]}`,
    version,
    private: true,
    main: 'index.cjs',
    engines,
    scripts: {
      'gcp-build': 'NODE_COMPILE_CACHE=.compile-cache NODE_COMPILE_CACHE_PORTABLE=1 node warm-up.cjs',
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

/** Every function, into `{outDir}/deploy`. */
export async function buildDeploy(outDir: string): Promise<void> {
  await Promise.all(targetNames.map((target) => buildTarget(target, outDir)));
}

if (import.meta.main) {
  const outDir = join(root, 'build');
  // build/functions is written over in place: a local stack may be running it.
  await Promise.all(
    ['cli', 'deploy'].map((stale) => rm(join(outDir, stale), { recursive: true, force: true })),
  );
  await Promise.all([buildMain(outDir), buildCli(outDir), buildDeploy(outDir)]);
}
