import { tmpdir } from 'node:os';
import { join } from 'node:path';

import { defineConfig } from 'vitest/config';

/** No test may read or write the contexts of the user who runs it. */
const env = { XDG_CONFIG_HOME: join(tmpdir(), `ee-video-exports-tests-${process.pid}`) };

export default defineConfig({
  test: {
    projects: [
      {
        test: {
          name: 'unit',
          env,
          include: ['test/**/*.test.ts'],
          exclude: ['test/**/*.{emulator,terraform}.test.ts'],
          testTimeout: 20_000,
        },
      },
      {
        test: {
          name: 'emulator',
          env,
          include: ['test/**/*.emulator.test.ts'],
          globalSetup: ['test/emulators.ts'],
          testTimeout: 60_000,
          hookTimeout: 60_000,
          // They mostly wait for processes and emulators; more at once would only make each of them slower.
          maxWorkers: 3,
        },
      },
      {
        test: {
          name: 'terraform',
          env,
          include: ['test/**/*.terraform.test.ts'],
          testTimeout: 300_000,
          hookTimeout: 300_000,
        },
      },
    ],
  },
});
