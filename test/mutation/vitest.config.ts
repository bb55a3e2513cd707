import { defineConfig } from 'vitest/config'
import { pureFiles } from './pure-parts.ts'

/** The unit tests, as `npm run coverage` and `npm run mutation` run them: what of the pure parts do they notice? */
export default defineConfig({
  test: {
    name: 'unit',
    include: ['test/unit/**/*.test.ts'],
    // They ask processes of their own, which know nothing of counters and mutants, or no pure part at all; or they read the
    // text of src/, which is another one where mutants are in it.
    exclude: [
      'test/unit/{chaos-mutants,cli-loading,config-load,error-types,fault-proxy,model,pure-parts,tcp-proxy}.test.ts',
    ],
    // A worker that a mutant lets wait for ever is noticed after this time.
    testTimeout: 10_000,
    isolate: false,
    coverage: {
      provider: 'v8',
      include: [...pureFiles()],
      reporter: ['text', 'json-summary'],
      thresholds: { branches: 95 },
    },
  },
})
