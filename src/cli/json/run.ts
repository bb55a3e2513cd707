import { z } from 'zod'

const keys = z.number().int().nonnegative()

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
  /** Keys it comes to; null until it has begun. */
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
  /** What it found or did besides the counts; `comparison` of a verify has the shape that `verify --json` prints. */
  result: z.record(z.string(), z.unknown()).nullable(),
  /** Why it failed, or what it has to report although it is done. */
  error: z.string().nullable(),
  requestedAt: z.string(),
  startedAt: z.string().nullable(),
  finishedAt: z.string().nullable(),
  /** Milliseconds from the start to the end, or to now. */
  elapsedMs: z.number().nullable(),
})

/** What `runs list`, `runs watch` and `runs cancel` print with --json. */
export const runsJson = z.strictObject({ runs: z.array(runJson) })

/** What `backfill` prints with --json: its runs when they have ended; as requested with --no-wait. */
export const backfillJson = z.strictObject({
  runs: z.array(
    runJson.extend({
      /** True when a run of the document was under way already: it is that one, and nothing was requested. */
      existing: z.boolean(),
    }),
  ),
})
