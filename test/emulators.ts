import { buildCli, buildMain } from '../infra/build.ts';
import { startEmulators } from '../infra/local/emulators.ts';
import { buildFolder } from '../infra/local/function-process.ts';

/**
 * Vitest's globalSetup of the `emulator` project. Workers inherit the environment. If the emulators are missing, the run
 * fails and explains how to install them: tests that are skipped silently prove nothing.
 */
export default async function setup(): Promise<() => Promise<void>> {
  const [emulators] = await Promise.all([
    startEmulators({ projectId: 'demo-test' }),
    // For all tests that start functions or the command line as processes.
    buildMain(buildFolder),
    buildCli(buildFolder),
  ]);
  Object.assign(process.env, emulators.environment);
  return () => emulators.stop();
}
