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

/**
 * Without what other test files do to the cluster that they all share: some make indices whose shard has no node. Of a
 * cluster of its own `test/full/doctor-cluster.test.ts` has this finding.
 */
export function withoutOthers<F extends { readonly name: string }>(found: readonly F[]): readonly F[] {
  return found.filter(({ name }) => name !== 'shards_missing')
}
