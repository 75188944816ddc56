import { defineConfig } from 'vitest/config';

export default defineConfig({
  test: {
    include: ['test/**/*.test.ts'],
    globalSetup: ['test/setup/debian.ts', 'test/setup/sources.ts', 'test/setup/leftovers.ts'],
    pool: 'forks',
    maxWorkers: 2,
    testTimeout: 60_000,
    hookTimeout: 120_000,
    // .ci/run counts from the report; a terminal shows the default one.
    reporters: ['default', ['json', { outputFile: 'build/test-report.json' }]],
  },
});
