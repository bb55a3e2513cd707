import { z } from 'zod'
import { documentStateJson, resumeJson } from '../../answers/json/document-state.ts'
import { failedChangeJson } from '../../answers/json/failed.ts'
import { runToJson } from '../../answers/run-to-json.ts'
import { discardFailed, type FailureChoice, retryFailed } from '../../queue/change-failures.ts'
import { keysOfFailures } from '../../queue/choose-failures.ts'
import { pauseByOperator, resumeByOperator } from '../../queue/operator-state.ts'
import { cancelByOperator } from '../../runs/cancel.ts'
import { readRun } from '../../runs/read-runs.ts'
import { namedDocument } from '../documents.ts'
import { post } from '../endpoint.ts'
import { HttpError } from '../errors.ts'
import { documentName, runId, text } from '../inputs.ts'
import { oneRunJson } from '../json.ts'
import type { Admin } from '../types.ts'

const params = z.strictObject({ name: documentName })

const chosen = z.strictObject({
  document: documentName.optional(),
  type: text.optional().describe('Only those of one type, as GET /api/failures shows it'),
  ids: z.array(text).min(1).max(1000).optional().describe('Only these of the document, by _id'),
  all: z.literal(true).optional().describe('Of all documents'),
})

/** What is done at once. */
export const changeEndpoints = [
  post({
    path: '/api/documents/:name/pause',
    summary: 'Stop indexing a document; its marks gather in the queue',
    params,
    body: z.strictObject({ reason: text.optional().describe('Why; shown by status') }),
    answer: documentStateJson,
    handle: async (admin, { params: { name: document }, body: { reason }, who }) => {
      await namedDocument(admin, document)
      await pauseByOperator(admin.pool, admin.schema, document, reason ?? `paused by ${who}`)
      return { document, state: 'paused' as const }
    },
  }),
  post({
    path: '/api/documents/:name/resume',
    summary: 'Go on with a paused document, from the marks that gathered',
    params,
    body: z.strictObject({
      deletes: z
        .boolean()
        .default(false)
        .describe('Carry out the deletes that the mass-delete brake holds back'),
    }),
    answer: resumeJson,
    handle: async (admin, { params: { name: document }, body: { deletes } }) => {
      await namedDocument(admin, document)
      const released = await resumeByOperator(admin.pool, admin.schema, document, deletes)
      return { document, state: 'active' as const, released }
    },
  }),
  post({
    path: '/api/failures/retry',
    summary: 'Mark failed documents again, dead ones too, with fresh attempts',
    body: chosen,
    answer: failedChangeJson,
    handle: async (admin, { body }) => {
      const { document, type, ...choice } = await choose(admin, body)
      const count = await retryFailed(admin.pool, admin.schema, { document, type, ...choice })
      return { document, type, count }
    },
  }),
  post({
    path: '/api/failures/discard',
    summary: 'Forget dead letters: the index keeps what it has of them',
    body: chosen,
    answer: failedChangeJson,
    handle: async (admin, { body }) => {
      const { document, type, ...choice } = await choose(admin, body)
      const count = await discardFailed(admin.pool, admin.schema, { document, type, ...choice })
      return { document, type, count }
    },
  }),
  post({
    path: '/api/runs/:id/cancel',
    summary: 'Stop a run; what it has done stays',
    params: z.strictObject({ id: runId }),
    body: z.strictObject({}),
    answer: oneRunJson,
    handle: async ({ pool, schema }, { params: { id } }) => {
      const before = await readRun(pool, schema, id)
      if (before === null) throw new HttpError(404, 'not-found', `there is no run ${id}`)
      return { run: runToJson(await cancelByOperator(pool, schema, before)) }
    },
  }),
]

/** Which failures are meant. All of them have to be asked for by name: a forgotten key must not mean everything. */
async function choose(
  admin: Admin,
  { document, type: of, ids, all }: z.output<typeof chosen>,
): Promise<FailureChoice> {
  const type = of ?? null
  if (all === true && (document !== undefined || ids !== undefined)) {
    throw new HttpError(400, 'usage', 'all is of all documents: name neither a document nor ids with it')
  }
  if (document === undefined) {
    if (all !== true)
      throw new HttpError(400, 'usage', 'which ones?', { remedy: 'Name a document, or say all.' })
    return { document: null, keys: null, type }
  }
  await namedDocument(admin, document)
  const keys = ids === undefined ? null : await keysOfFailures(admin.pool, admin.schema, document, ids)
  return { document, keys, type }
}
