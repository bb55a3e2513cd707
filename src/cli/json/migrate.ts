import { z } from 'zod'

/** What `migrate` prints with --json. */
export const migrateJson = z.strictObject({
  schema: z.string(),
  /** Names of the migrations applied now, in order; empty when it was up to date. */
  applied: z.array(z.string()),
})
