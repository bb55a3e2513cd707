import { z } from 'zod'
import { stepJson } from './install.ts'

/** What `uninstall` prints with --json. */
export const uninstallJson = z.strictObject({
  /** False when there was nothing to do, or it was not confirmed. */
  done: z.boolean(),
  steps: z.array(stepJson),
  notes: z.array(z.string()),
})
