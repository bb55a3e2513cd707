import { z } from 'zod'

/** What `inspect` prints with --json. Integers beyond 2^53 are text in `row`, `expected` and `source`. */
export const inspectJson = z.strictObject({
  document: z.string(),
  id: z.string(),
  key: z.string(),
  /** The root row, columns of the document only; null when there is none. */
  row: z.unknown(),
  /** The document that the row makes; null when it makes none. */
  expected: z.unknown(),
  /** Why the row makes no document, or one that cannot be indexed. */
  problem: z.string().nullable(),
  /** Marks that wait, or are being worked on. */
  marks: z.array(
    z.strictObject({
      id: z.string(),
      lane: z.number(),
      op: z.string(),
      /** True when the mark stands for everything of the document. */
      everything: z.boolean(),
      target: z.string().nullable(),
      runId: z.string().nullable(),
      ageMs: z.number(),
    }),
  ),
  failures: z.array(
    z.strictObject({
      /** Physical index; '' when the document could not be read or encoded. */
      target: z.string(),
      state: z.enum(['retrying', 'dead']),
      attempts: z.number(),
      type: z.string(),
      reason: z.string(),
      version: z.string(),
      lastFailedAt: z.string(),
      dueAt: z.string().nullable(),
    }),
  ),
  /** One for each physical index that is written to. */
  copies: z.array(
    z.strictObject({
      index: z.string(),
      role: z.enum(['live', 'kept', 'building']),
      /** same; missing: not indexed; extra: indexed, and should not be; different; unknown: could not be read. */
      state: z.enum(['same', 'missing', 'extra', 'different', 'unknown']),
      version: z.string().nullable(),
      source: z.unknown(),
      /** Left out where nothing is there: `expected` or `indexed`. */
      differences: z.array(
        z.strictObject({
          path: z.string(),
          expected: z.unknown().optional(),
          indexed: z.unknown().optional(),
        }),
      ),
      /** Why it could not be read, or what is odd about the index. */
      note: z.string().nullable(),
    }),
  ),
  differs: z.boolean(),
  /** Why they differ; empty when they do not. */
  why: z.array(z.string()),
})
