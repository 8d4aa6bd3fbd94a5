import { defineConfig } from 'vitest/config';

export default defineConfig({
  test: {
    projects: [
      {
        test: {
          name: 'unit',
          include: ['test/**/*.test.ts'],
          exclude: ['test/**/*.{emulator,terraform}.test.ts'],
          testTimeout: 20_000,
        },
      },
      {
        test: {
          name: 'emulator',
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
          include: ['test/**/*.terraform.test.ts'],
          testTimeout: 300_000,
          hookTimeout: 300_000,
        },
      },
    ],
  },
});
