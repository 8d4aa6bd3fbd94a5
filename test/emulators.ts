import { startEmulators } from '../infra/local/emulators.ts';

/**
 * Vitest's globalSetup of the `emulator` project. Workers inherit the environment. Where the emulators are missing the
 * run fails and says how to install them: tests that silently do not run prove nothing.
 */
export default async function setup(): Promise<() => Promise<void>> {
  const emulators = await startEmulators({ projectId: 'demo-test' });
  Object.assign(process.env, emulators.environment);
  return () => emulators.stop();
}
