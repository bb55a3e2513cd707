import { z } from 'zod'
import { readLog } from '../../queue/read-log.ts'
import { cursorOf, placeOf } from '../cursor.ts'
import { get } from '../endpoint.ts'
import { after, documentName, limit } from '../inputs.ts'
import { logJson } from '../json.ts'

const place = z.tuple([
  z.string().regex(/^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{6}Z$/),
  z.string(),
  z.string(),
  z.string(),
  z.string(),
  z.string(),
])

export const logEndpoints = [
  get({
    path: '/api/log',
    summary:
      'Outcomes, the latest first: at most one entry a second, worker, document, index, operation and outcome',
    query: z.strictObject({
      document: documentName.optional(),
      outcome: z.enum(['done', 'superseded', 'retry', 'dead', 'blocked']).optional(),
      limit,
      after,
    }),
    answer: logJson,
    handle: async ({ pool, schema }, { query }) => {
      const from = query.after === undefined ? undefined : placeOf(query.after, place)
      const { document, outcome } = query
      const entries = await readLog(pool, schema, { document, outcome, after: from }, query.limit)
      const last = entries.length === query.limit ? entries.at(-1) : undefined
      const next =
        last === undefined
          ? null
          : cursorOf([last.at, last.worker, last.document, last.index, last.operation, last.outcome])
      return { entries: [...entries], next }
    },
  }),
]
