import { z } from 'zod'
import { stepJson } from './install.ts'
import { runJson } from './run.ts'

/** What `reindex` prints with --json: the run when it has ended; as requested with --no-wait. Times are UTC, ISO 8601. */
export const reindexJson = z.strictObject({
  run: runJson.extend({
    /** True when a run of the document was under way already: it is that one, and nothing was requested. */
    existing: z.boolean(),
  }),
  /** What was installed of the document before, because its definition had changed. */
  steps: z.array(stepJson),
  /** Each alias, the index that it points to now, and the one before; empty until it is done. */
  indices: z.array(z.strictObject({ alias: z.string(), index: z.string(), before: z.string().nullable() })),
  /** Until when those before are kept, and written to; null: they are not. */
  keptUntil: z.string().nullable(),
  /** Documents that the new index refused, and the one before has. */
  refused: z.number().int().nonnegative(),
})
