import { defineConfig } from 'vitest/config';

// Two projects: `unit` runs the source alone and finishes within seconds; `e2e` runs the built command, real
// clients and real system parts, which its global set-up installs.
export default defineConfig({
  test: {
    reporters: ['default', 'json'],
    // .ci/run takes its last line from here.
    outputFile: { json: '.cache/test-results.json' },
    projects: [
      {
        test: {
          name: 'unit',
          include: ['test/**/*.test.ts'],
          exclude: ['test/cli/**', 'test/**/*.e2e.test.ts'],
          sequence: { groupOrder: 0 },
          // All processors: nothing else runs meanwhile. End-to-end tests start processes of their own.
          maxWorkers: '100%',
        },
      },
      {
        test: {
          name: 'e2e',
          include: ['test/cli/**/*.test.ts', 'test/**/*.e2e.test.ts'],
          globalSetup: ['test/support/system-setup.ts'],
          // The fast ones first.
          sequence: { groupOrder: 1 },
          testTimeout: 60_000,
          hookTimeout: 120_000,
        },
      },
    ],
  },
});
