import { startEmulators } from '../infra/local/emulators.ts';

/**
 * Vitest's globalSetup of the `emulator` project. Workers inherit the environment. If the emulators are missing, the run
 * fails and explains how to install them: tests that are skipped silently prove nothing.
 */
export default async function setup(): Promise<() => Promise<void>> {
  const emulators = await startEmulators({ projectId: 'demo-test' });
  Object.assign(process.env, emulators.environment);
  return () => emulators.stop();
}
