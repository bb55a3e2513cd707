import { z } from 'zod'

/** What `doctor` prints with --json. Exit code 0: no findings. */
export const doctorJson = z.strictObject({
  findings: z.array(
    z.strictObject({
      /** error: documents are wrong, or will be; warning: slower than need be, or something to know. */
      severity: z.enum(['error', 'warning']),
      /** Null where it is no single document's. */
      document: z.string().nullable(),
      what: z.string(),
      /** What was seen. */
      evidence: z.string().nullable(),
      /** SQL or a command. */
      remedy: z.string().nullable(),
    }),
  ),
})
