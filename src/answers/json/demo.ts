import { z } from 'zod'

const count = z.number().int().nonnegative()

/** What `demo` prints with --json. Times are milliseconds. */
export const demoJson = z.strictObject({
  /** Alias of the index. */
  index: z.string(),
  /** Schema of the demo's tables. */
  tables: z.string(),
  /** Schema of the sluice that keeps them in sync. */
  schema: z.string(),
  backfill: z.strictObject({ documents: count, elapsedMs: z.number() }),
  changes: z
    .array(
      z.strictObject({
        what: z.string(),
        sql: z.string(),
        /** That show it. */
        documents: count,
        /** From the commit until Elasticsearch had answered for it. */
        indexedMs: z.number(),
        /** From the commit until a search saw it, with a refresh asked for at once. */
        searchableMs: z.number(),
      }),
    )
    .readonly(),
  rolledBack: z.strictObject({ sql: z.array(z.string()).readonly(), rows: count, unchanged: z.boolean() }),
  /** The document that was refused, why, and how many the retry marked again. */
  deadLetter: z.strictObject({
    id: z.string(),
    sql: z.string(),
    type: z.string(),
    reason: z.string(),
    retried: count,
  }),
  /** Contents were compared. Exit code 3 where one of the last three is not 0. */
  verify: z.strictObject({ rows: count, documents: count, missing: count, stale: count, extra: count }),
  /** True with --keep: it is all still there. */
  kept: z.boolean(),
})
