import { z } from 'zod'

/** What `migrate` prints with --json. */
export const migrateJson = z.strictObject({
  schema: z.string(),
  /** Names of the migrations applied now, in order; empty when it was up to date. */
  applied: z.array(z.string()),
  /** With --roles, otherwise null. */
  roles: z
    .strictObject({
      daemon: z.string(),
      operator: z.string(),
      reader: z.string(),
      /** What would be run, with --dry-run; otherwise null. */
      sql: z.string().nullable(),
      /** Statements that somebody else has to run: grants of tables that this role does not own. */
      missing: z.array(z.string()),
    })
    .nullable(),
})
