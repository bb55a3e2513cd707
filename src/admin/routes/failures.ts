import { z } from 'zod'

import { readFailureGroups, readFailures } from '../../queue/read-failures.ts'
import { cursorOf, placeOf } from '../cursor.ts'
import { get } from '../endpoint.ts'
import { after, documentName, failureState, limit, text } from '../inputs.ts'
import { failuresPageJson } from '../json.ts'

const place = z.tuple([
  z.string().regex(/^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z$/),
  z.string(),
  z.string(),
  z.string(),
])

export const failuresEndpoints = [
  get({
    path: '/api/failures',
    summary: 'What fails by reason, whole, and the failures, the latest first',
    query: z.strictObject({
      document: documentName.optional(),
      type: text.optional(),
      state: failureState.optional(),
      limit,
      after,
    }),
    answer: failuresPageJson,
    handle: async ({ pool, schema }, { query }) => {
      const { document, type, state } = query
      const filter = {
        ...(document === undefined ? {} : { document }),
        ...(type === undefined ? {} : { type }),
        ...(state === undefined ? {} : { state }),
      }
      const from = query.after === undefined ? {} : { after: placeOf(query.after, place) }
      const failures = await readFailures(pool, schema, { ...filter, ...from }, query.limit)
      const groups = await readFailureGroups(pool, schema, filter)
      const last = failures.length === query.limit ? failures.at(-1) : undefined
      const next =
        last === undefined ? null : cursorOf([last.lastFailedAt, last.document, last.key, last.target])
      return { groups: [...groups], failures: [...failures], next }
    },
  }),
]
