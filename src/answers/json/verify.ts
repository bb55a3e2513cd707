import { z } from 'zod'
import { runJson } from './run.ts'

const count = z.number().int().nonnegative()

const difference = z.strictObject({
  /** missing: a row without a document; stale: other content than the row's; extra: a document without a row. */
  kind: z.enum(['missing', 'stale', 'extra']),
  /** Physical index; the alias where a tenant has none. */
  index: z.string(),
  id: z.string(),
  /** Key tuple; null for an `_id` that is no key of the document. */
  key: z.string().nullable(),
  /** Of a stale document: paths of some fields that differ. */
  fields: z.array(z.string()).readonly().optional(),
  /** Why it differs, where that is known. */
  note: z.string().optional(),
})

const differences = { missing: count, stale: count, extra: count, examples: z.array(difference).readonly() }

/** What a verify found. */
const comparisonJson = z.strictObject({
  /** Whether contents were compared. */
  deep: z.boolean(),
  /** How many rows and documents were chosen at random; null: all were looked at. */
  sample: count.nullable(),
  rows: count,
  documents: count,
  ...differences,
  /** Documents that were written again between any two looks, and could not be compared. */
  changing: count,
  warnings: z.array(z.string()).readonly(),
  /** What was left after the repair; absent where nothing was to be repaired. */
  left: z.strictObject(differences).optional(),
})

/** What `verify` prints with --json: its runs when they have ended; as requested with --no-wait. */
export const verifyJson = z.strictObject({
  runs: z.array(
    runJson.extend({
      /** True when a run of the document was under way already: it is that one, and nothing was requested. */
      existing: z.boolean(),
      /** Null where the run has not come to compare, or is of another kind. */
      comparison: comparisonJson.nullable(),
    }),
  ),
})
