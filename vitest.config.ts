import { resolve } from 'node:path';
import { defineConfig } from 'vitest/config';
import { executableFile } from './test/support/executable.ts';

const endToEnd = {
  globalSetup: ['test/support/system-setup.ts'],
  // As many as there are processors: what the tests start waits more than it computes.
  maxWorkers: '100%',
  testTimeout: 60_000,
  hookTimeout: 120_000,
};

// Three projects: `unit` runs the source alone and finishes within seconds; `e2e` runs the built command, real
// clients and real system parts, which its global set-up installs; `exe` runs the tests of the command once more, with
// the standalone executable in its place.
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
          exclude: ['test/cli/**', 'test/**/*.e2e.test.ts', 'test/executable/**'],
          // Ends what hangs, and not what a busy machine makes slow.
          testTimeout: 30_000,
          sequence: { groupOrder: 0 },
          maxWorkers: '100%',
        },
      },
      {
        test: {
          ...endToEnd,
          name: 'e2e',
          include: ['test/cli/**/*.test.ts', 'test/**/*.e2e.test.ts'],
          // The fast ones first.
          sequence: { groupOrder: 1 },
        },
      },
      {
        resolve: {
          alias: [
            { find: /^.*\/runtime\/transport\.ts$/, replacement: resolve('test/support/bun-transport.ts') },
          ],
        },
        test: {
          ...endToEnd,
          name: 'exe',
          include: [
            ...['test/cli/*.test.ts', 'test/clients/ml-dsa.e2e.test.ts', 'test/executable/**/*.test.ts'],
            ...['test/aws/*.test.ts', 'test/runtime/transport.test.ts'],
          ],
          globalSetup: [...endToEnd.globalSetup, 'test/support/executable-setup.ts'],
          env: { ROLESANYWHERE_TEST_EXECUTABLE: executableFile },
          sequence: { groupOrder: 1 },
        },
      },
    ],
  },
});
