import { z } from 'zod'

/** What `pause` prints with --json. */
export const documentStateJson = z.strictObject({
  document: z.string(),
  state: z.enum(['active', 'paused']),
})

/** What `resume` prints with --json. */
export const resumeJson = documentStateJson.extend({
  /** Keys that the mass-delete brake had parked, and that are looked at again. */
  released: z.number(),
})
