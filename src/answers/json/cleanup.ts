import { z } from 'zod'

/** What `cleanup` prints with --json. */
export const cleanupJson = z.strictObject({
  /** Older than this was removed. */
  days: z.number().int(),
  removed: z.array(
    z.strictObject({
      /** `sync_log partitions`, `sync_rollup`, `sync_run`, `sync_audit`, `sync_worker`, `indices`. */
      records: z.string(),
      removed: z.number().int().nonnegative(),
    }),
  ),
})
