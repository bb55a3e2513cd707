import { z } from 'zod'

/** What `pause` and `resume` print with --json. */
export const documentStateJson = z.strictObject({
  document: z.string(),
  state: z.enum(['active', 'paused']),
})
