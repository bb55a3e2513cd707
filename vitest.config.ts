import { rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { defineConfig } from 'vitest/config'
import { LongestFirst } from './test/support/longest-first.ts'

// Half of what a short command costs is the reading of TypeScript: the processes of a run share what Node made of it.
const compiled = join(tmpdir(), `sluice-compiled-${process.pid}`)
process.once('exit', () => rmSync(compiled, { recursive: true, force: true }))

// One more than there are cores: many tests wait for servers. The same for all, or the projects run one after the other.
const maxWorkers = 3

const withServers = {
  globalSetup: ['test/support/global-setup.ts'],
  // Longer than several deadlines of eventually(), which says what it waited for.
  testTimeout: 120_000,
  hookTimeout: 120_000,
  maxWorkers,
}

// Three projects: `unit` needs no server; `integration` shares one Postgres and one Elasticsearch, started once in
// globalSetup, with a database and an index prefix of its own for every test file; `full` is what `npm run test:full`
// runs beside them: long forms, and the tests of the test servers.
export default defineConfig({
  test: {
    reporters: ['default', './test/support/count-reporter.ts'],
    env: { NODE_COMPILE_CACHE: compiled },
    sequence: { sequencer: LongestFirst },
    projects: [
      {
        test: {
          name: 'unit',
          include: ['test/unit/**/*.test.ts'],
          // Some start a process, beside everything else.
          testTimeout: 60_000,
          maxWorkers,
          // Pure functions: a process for each file costs more than its tests.
          isolate: false,
        },
      },
      {
        test: {
          ...withServers,
          name: 'integration',
          include: ['{test/integration,test/browser,examples}/**/*.test.ts'],
          // What they share is the program and its helpers, and a file that leaves no state in a module needs no process of
          // its own: each would read all of it anew, for half a second of processor time.
          isolate: false,
        },
      },
      { test: { ...withServers, name: 'full', include: ['test/full/**/*.test.ts'] } },
    ],
  },
})
