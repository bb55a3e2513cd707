import { z } from 'zod'

/** What `enqueue` prints with --json. */
export const enqueueJson = z.strictObject({
  document: z.string(),
  /** Keys marked, each once. */
  keys: z.array(z.string()),
})
