#!/usr/bin/env node

/*
 * The command line. This file is read by whatever Node is first on PATH, so it asks for its version before anything that an
 * older one could stumble over is loaded.
 */

const OLDEST_NODE = 24;

if (Number.parseInt(process.versions.node, 10) < OLDEST_NODE) {
  process.stderr.write(
    `ee-video-exports needs Node ${OLDEST_NODE} and this is ${process.version}: in the repository, npx ee-video-exports brings its own after npm ci; elsewhere, install Node ${OLDEST_NODE}.\n`,
  );
  process.exitCode = 2;
} else {
  const { main } = await import('./main.ts');
  process.exitCode = await main(process.argv.slice(2));
}
