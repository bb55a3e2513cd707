import { z } from 'zod'

/** What `init` prints with --json. */
export const initJson = z.strictObject({
  /** Where it was written; null with --stdout. */
  file: z.string().nullable(),
  /** The proposed configuration. */
  text: z.string(),
  documents: z.array(z.string()),
  /** Tables that are left out, and why. */
  skipped: z.array(z.strictObject({ table: z.string(), reason: z.string() })),
  /**
   * With --from-pgsync: what of the file could not be translated; `remedy` is null where nothing needs to be done. Without:
   * columns (`city.valid_to`) with values that no index takes, in the rows that were looked at.
   */
  remarks: z.array(z.strictObject({ where: z.string(), what: z.string(), remedy: z.string().nullable() })),
})
