import { pureFiles } from './pure-parts.ts'

export default {
  mutate: [...pureFiles()],
  testRunner: 'vitest',
  // Processes, as in `npm test`: in a thread, which Stryker takes by itself, a test cannot change the time zone.
  vitest: { configFile: 'test/mutation/vitest.config.ts', pool: 'forks' },
  // One at a time: it takes hours, and the machine is for other work, too. `-- --concurrency 4` on a free one.
  concurrency: 1,
  // On a busy machine a run that is merely slow would count as a mutant that was noticed.
  timeoutMS: 20_000,
  reporters: [process.stdout.isTTY ? 'progress' : 'progress-append-only', 'clear-text', 'html', 'json'],
  clearTextReporter: { logTests: false, reportTests: false },
  htmlReporter: { fileName: 'reports/mutation.html' },
  jsonReporter: { fileName: 'reports/mutation.json' },
  thresholds: { high: 95, low: 85, break: 85 },
}
