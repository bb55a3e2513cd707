import type { Limits } from './types.ts'

interface LimitRange {
  readonly unit: string
  readonly min: number
  readonly max: number
  readonly default: number
}

/** Ranges and defaults of the limits. Their variables are the names in capitals: `batchSize` is BATCH_SIZE. */
export const limitRanges: Readonly<Record<keyof Limits, LimitRange>> = {
  // Up to the maximum, one load query and one commit; beyond it a batch outlives its claim's minute.
  batchSize: { unit: 'keys', min: 1, max: 100_000, default: 1000 },
  // Elasticsearch refuses a request of 100 MiB (http.max_content_length). Measured best: 1 to 2 MiB.
  batchBytes: { unit: 'bytes', min: 1024, max: 96 * 1024 * 1024, default: 1024 * 1024 },
  // Each batch in flight holds two connections to Postgres.
  concurrency: { unit: 'batches in flight', min: 1, max: 64, default: 2 },
  pollingInterval: { unit: 'milliseconds', min: 5, max: 60_000, default: 50 },
  maxRetries: { unit: 'attempts', min: 1, max: 1000, default: 5 },
  requestTimeout: { unit: 'milliseconds', min: 100, max: 600_000, default: 30_000 },
  shutdownTimeout: { unit: 'milliseconds', min: 0, max: 600_000, default: 30_000 },
  syncLogRetentionDays: { unit: 'days', min: 1, max: 3650, default: 7 },
}

/** Differences that a verify may leave before that is an alert. */
export const driftRange: LimitRange = { unit: 'documents', min: 0, max: 1_000_000_000, default: 0 }
