import { z } from 'zod'

/** What requests are made of. Messages say what is expected, and never what was there. */

export const documentName = z
  .string()
  .regex(/^[a-z][a-z0-9_]{0,39}$/, 'the name of a document')
  .describe('Name of an installed document')

/** Elasticsearch takes no longer one. */
export const indexName = z
  .string()
  .min(1, 'the name of an index')
  .max(255, 'the name of an index')
  .describe('Alias, or physical index that it points to')

/** bigint: more digits are no run of any database. */
export const runId = z
  .string()
  .regex(/^[1-9]\d{0,17}$/, 'the number of a run')
  .describe('Number of a run')

export const limit = z.coerce
  .number('a number')
  .int('a whole number')
  .min(1, 'a number from 1 to 1000')
  .max(1000, 'a number from 1 to 1000')
  .default(100)
  .describe('At most so many, 1 to 1000')

export const after = z.string().max(4000).optional().describe('"next" of the answer before')

export const failureState = z.enum(['retrying', 'dead'], 'retrying or dead')

export const text = z.string().min(1).max(4000)
