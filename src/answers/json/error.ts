import { z } from 'zod'

/** What a command that failed prints with --json. */
export const errorJson = z.strictObject({
  error: z.strictObject({
    code: z.enum(['config', 'usage', 'unreachable', 'schema', 'document-query', 'failed']),
    /** One line, or one and a list where several things are wrong. */
    message: z.string(),
    /** Path in the configuration, variable, server, table. */
    where: z.string().nullable(),
    /** What to do about it. */
    remedy: z.string().nullable(),
  }),
})
