import { z } from 'zod'

/** What `preview` prints with --json. */
export const previewJson = z.strictObject({
  name: z.string(),
  /** installed: what the daemon would index; configuration: what it would after install. */
  from: z.enum(['installed', 'configuration']),
  /** Where it goes: alias, _id and routing, if it has one. */
  address: z.strictObject({ index: z.string(), id: z.string(), routing: z.string().optional() }),
  key: z.string(),
  /** The document as it would be sent; null when there is none. */
  document: z.unknown(),
  /** Why there is none, or why it would be refused; null when all is well. */
  problem: z.string().nullable(),
  sql: z.strictObject({
    /** View that computes the documents; with `sql`, the view of the ids and the function of the query. */
    view: z.string(),
    /** Query for the current documents of some keys; one text[] per key column. */
    load: z.string(),
  }),
  warnings: z.array(z.string()),
})
