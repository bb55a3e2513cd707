import { z } from 'zod'

const count = z.number().int().nonnegative()

/** A document that could not be indexed. Times are UTC, ISO 8601. */
const failureJson = z.strictObject({
  document: z.string(),
  /** Its _id. */
  id: z.string(),
  /** Key tuple, as in sync_queue. */
  key: z.string(),
  /** Physical index that refused it; '' when it could not be read or encoded. */
  target: z.string(),
  state: z.enum(['retrying', 'dead']),
  attempts: count,
  /** When it is tried again; null when dead. */
  dueAt: z.string().nullable(),
  type: z.string(),
  /** Without document values. */
  reason: z.string(),
  /** Version that failed: more digits than a number holds. */
  version: z.string(),
  firstFailedAt: z.string(),
  lastFailedAt: z.string(),
})

/** What `failed list` prints with --json. */
export const failedListJson = z.strictObject({
  /** By document, type and reason, the most frequent first; counts are complete. */
  groups: z.array(
    z.strictObject({
      document: z.string(),
      type: z.string(),
      reason: z.string(),
      retrying: count,
      dead: count,
      firstFailedAt: z.string(),
      lastFailedAt: z.string(),
    }),
  ),
  /** The latest, at most --limit. */
  failures: z.array(failureJson),
})

/** What `failed show` prints with --json: one entry for each index that refused it. */
export const failedShowJson = z.strictObject({ failures: z.array(failureJson) })

/** What `failed retry` and `failed discard` print with --json. */
export const failedChangeJson = z.strictObject({
  /** null with --all. */
  document: z.string().nullable(),
  type: z.string().nullable(),
  /** Documents marked again, or forgotten. */
  count,
})
