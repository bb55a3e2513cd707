import type { Limits } from '../../src/config/types.ts'

/** Limits of small daemons in tests of `doctor`. */
export function limitsOf(): Limits {
  return {
    batchSize: 200,
    batchBytes: 1024 * 1024,
    concurrency: 1,
    pollingInterval: 20,
    maxRetries: 5,
    requestTimeout: 30_000,
    shutdownTimeout: 10_000,
    syncLogRetentionDays: 7,
  }
}
