import { defineConfig } from 'vitest/config'

// Two projects: `unit` needs no server; `integration` shares one Postgres and one Elasticsearch,
// started once in globalSetup, with a database and an index prefix of its own for every test file.
export default defineConfig({
  test: {
    reporters: ['default', './test/support/count-reporter.ts'],
    projects: [
      { test: { name: 'unit', include: ['test/unit/**/*.test.ts'] } },
      {
        test: {
          name: 'integration',
          include: ['test/integration/**/*.test.ts'],
          globalSetup: ['test/support/global-setup.ts'],
          testTimeout: 60_000,
          hookTimeout: 120_000,
          // One more than there are cores: many tests wait for servers.
          maxWorkers: 3,
        },
      },
    ],
  },
})
