import { z } from 'zod'

/** What `detach` prints with --json. */
export const detachJson = z.strictObject({
  document: z.string(),
  /** Number of triggers dropped. */
  triggers: z.number().int(),
})
