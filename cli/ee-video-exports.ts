#!/usr/bin/env node

/*
 * The command line. Whatever Node.js is first on PATH runs this file, so it checks the version before it loads anything
 * that an older one cannot read.
 */

const OLDEST_NODE = 24;

if (Number.parseInt(process.versions.node, 10) < OLDEST_NODE) {
  process.stderr.write(
    `ee-video-exports needs Node.js ${OLDEST_NODE}, and this is ${process.version}. In the repository, run npm ci once and then npx ee-video-exports, which uses its own Node.js. Elsewhere, install Node.js ${OLDEST_NODE}.\n`,
  );
  process.exitCode = 2;
} else {
  const { main } = await import('./main.ts');
  process.exitCode = await main(process.argv.slice(2));
}
