import { z } from 'zod'

const keys = z.number().int().nonnegative()

const indexSize = z.strictObject({ documents: keys, deleted: keys, bytes: keys, segments: keys })

/** What an optimize came to. Sizes are those of primary shards; replicas come on top. */
const optimizationJson = z.strictObject({
  /** Share of deleted documents from which an index was merged. */
  threshold: z.number(),
  /** Live indices looked at, those merged, and those that could not be. */
  indices: keys,
  merged: keys,
  failed: keys,
  /** All that were looked at, together. */
  before: indexSize,
  after: indexSize,
  /** Those merged or failed, one by one; a hundred at most. */
  changes: z
    .array(
      z.strictObject({
        index: z.string(),
        before: indexSize.nullable(),
        after: indexSize.nullable(),
        /** Why it failed. */
        problem: z.string().nullable(),
      }),
    )
    .readonly(),
})

/** A long run. Times are UTC, ISO 8601. */
export const runJson = z.strictObject({
  id: z.string(),
  kind: z.enum(['backfill', 'reindex', 'verify', 'optimize']),
  document: z.string(),
  state: z.enum(['requested', 'running', 'cancelling', 'done', 'failed', 'cancelled']),
  options: z.record(z.string(), z.unknown()),
  requestedBy: z.string(),
  /** Why it was requested, when sluice itself asked. */
  reason: z.string().nullable(),
  /** Instance that executes it, or did last. */
  worker: z.string().nullable(),
  /** What it takes for it to go on; null when it does, or has ended. Only where runs are listed, shown or watched. */
  waitsFor: z.string().nullable(),
  /** Keys it comes to (an optimize: indices); null while that is not known. */
  total: keys.nullable(),
  /** False where `total` is the planner's estimate. */
  totalIsExact: z.boolean(),
  /** Keys marked. */
  walked: keys,
  /** Keys whose outcome is recorded; the next four count operations among them. */
  processed: keys,
  created: keys,
  updated: keys,
  deleted: keys,
  failed: keys,
  /** What it found or did besides the counts, under the name of its kind; `comparison` has the shape that `verify --json` prints. */
  result: z.looseObject({ optimize: optimizationJson.optional() }).nullable(),
  /** Why it failed, or what it has to report although it is done. */
  error: z.string().nullable(),
  requestedAt: z.string(),
  startedAt: z.string().nullable(),
  finishedAt: z.string().nullable(),
  /** Milliseconds from the start to the end, or to now. */
  elapsedMs: z.number().nullable(),
})

/** What `runs list`, `runs show`, `runs watch` and `runs cancel` print with --json. */
export const runsJson = z.strictObject({ runs: z.array(runJson) })

/** A run as the command that asked for it prints it: at its end, or as requested with --no-wait. */
const askedJson = runJson.extend({
  /** True when a run of the document was under way already: it is that one, and nothing was requested. */
  existing: z.boolean(),
})

/** What `backfill` prints with --json. */
export const backfillJson = z.strictObject({
  runs: z.array(
    askedJson.extend({
      /** Rows it was to take when it was requested; null where that could not be told quickly. */
      estimate: z.strictObject({ total: keys, counted: z.enum(['exact', 'estimate']) }).nullable(),
    }),
  ),
})

/** What `optimize` prints with --json. */
export const optimizeJson = z.strictObject({ runs: z.array(askedJson) })
