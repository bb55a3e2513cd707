import { z } from 'zod'

/** A thing that is created, changed, removed or requested. */
export const stepJson = z.strictObject({
  action: z.enum(['create', 'change', 'remove', 'request']),
  /** Null for what all documents share. */
  document: z.string().nullable(),
  what: z.string(),
})

/** What `install` prints with --json. No steps: there was nothing to do. */
export const installJson = z.strictObject({
  dryRun: z.boolean(),
  steps: z.array(stepJson),
  /** Runs that were requested; a daemon carries them out. */
  runs: z.array(
    z.strictObject({ document: z.string(), kind: z.enum(['backfill', 'verify', 'reindex']), id: z.string() }),
  ),
  /** What an operator should know. */
  notes: z.array(z.string()),
  /** Documents that were left as they are, for they take `sluice reindex`, and why. */
  reindexes: z.array(z.strictObject({ document: z.string(), why: z.string() })),
})
