import { z } from 'zod'
import { milliseconds } from '../../config/duration.ts'
import { indicesNamed } from '../../queue/known-indices.ts'
import type { InstalledDocument } from '../../queue/read-documents.ts'
import type { RequestedRun } from '../../queue/request-run.ts'
import { assertActive } from '../../runs/active-document.ts'
import { briefly } from '../../runs/briefly.ts'
import { estimateTotal, type Total } from '../../runs/estimate.ts'
import { readRun } from '../../runs/read-runs.ts'
import { activeRun, requestReindex } from '../../runs/reindex-request.ts'
import { requestBackfill } from '../../runs/request-backfill.ts'
import { requestOptimize } from '../../runs/request-optimize.ts'
import { requestVerify } from '../../runs/request-verify.ts'
import type { Run, RunOptions } from '../../runs/types.ts'
import { isSampleSize } from '../../runs/verify-options.ts'
import { viewSource } from '../../runs/walk-source.ts'
import { namedDocument } from '../documents.ts'
import { post } from '../endpoint.ts'
import { HttpError } from '../errors.ts'
import { documentName, indexName, text } from '../inputs.ts'
import { startedJson } from '../json.ts'
import type { Admin } from '../types.ts'
import { shownRun } from './runs.ts'

const params = z.strictObject({ name: documentName })
const requested = { params, answer: startedJson, statuses: [202] } as const

const keep = z
  .string()
  .refine((time) => milliseconds(time) !== null, 'a time such as "24h", "30m", "2d" or "0"')
  .describe('How long the index before is kept, and written to, for a rollback; default a day')

/** Long runs: what is answered is the request. Whoever wants the end follows `GET /api/runs/:id`. */
export const startEndpoints = [
  post({
    ...requested,
    path: '/api/documents/:name/backfill',
    summary: 'Index the rows that are there, anew',
    body: z.strictObject({
      since: text
        .optional()
        .describe('Only rows changed since: an interval ("2 hours") or a timestamp; with column'),
      column: text.optional().describe('Date or timestamp that tells when a row changed'),
      tenant: z.string().max(4000).optional().describe('Only rows of one tenant'),
      where: text.optional().describe('SQL condition over the root row'),
    }),
    handle: async (admin, { params: { name: document }, body, who }) => {
      await idle(admin, document)
      const { pool, schema } = admin
      const options = stated(body)
      const run = await requestBackfill(pool, schema, { document, options, requestedBy: who })
      return started(admin, run, { estimate: run.estimate, warnings: run.warnings })
    },
  }),
  post({
    ...requested,
    path: '/api/documents/:name/reindex',
    summary: 'Build a new index by the installed definition beside the living one, and move the alias to it',
    body: z.strictObject({
      keep: keep.optional(),
      rollback: z.literal(true).optional().describe('Move the alias back to the index that was kept'),
      adopt: z.literal(true).optional().describe('Take the place of an index that has the name of the alias'),
    }),
    handle: async (admin, { params: { name: document }, body: { keep: kept, ...more }, who }) => {
      const installed = await idle(admin, document)
      const keepMs = kept === undefined ? undefined : (milliseconds(kept) ?? undefined)
      const options = stated({ ...more, keepMs })
      const run = await requestReindex(admin, { document, options, requestedBy: who })
      return started(admin, run, { estimate: await estimate(admin, installed) })
    },
  }),
  post({
    params: z.strictObject({ index: indexName }),
    answer: startedJson,
    statuses: [202],
    path: '/api/indices/:index/recreate',
    summary: 'Throw the content of an index away at once, and make it anew from the rows',
    body: z.strictObject({
      confirm: z
        .literal(
          'DELETE_ALL_DATA',
          'send {"confirm":"DELETE_ALL_DATA"}: searches find less until it is full again',
        )
        .describe('"DELETE_ALL_DATA": that is what is done'),
    }),
    handle: async (admin, { params: { index }, who }) => {
      const { document, alias } = await livingIndex(admin, index)
      const installed = await idle(admin, document)
      const options = { recreate: true, alias, keepMs: 0 }
      const run = await requestReindex(admin, { document, options, requestedBy: who })
      return started(admin, run, { estimate: await estimate(admin, installed) })
    },
  }),
  post({
    ...requested,
    path: '/api/documents/:name/verify',
    summary: 'Compare rows and documents',
    body: z.strictObject({
      deep: z.boolean().optional().describe('Compare contents, not ids alone'),
      sample: z
        .number()
        .refine(isSampleSize, 'a number from 1 to 10000')
        .optional()
        .describe('So many rows and documents chosen at random, instead of all'),
      repair: z
        .enum(['all', 'extra'])
        .optional()
        .describe('Put right what differs; extra: only documents without a row'),
      deletes: z.literal(true).optional().describe('With repair: what it deletes is confirmed'),
    }),
    handle: async (admin, { params: { name: document }, body, who }) => {
      if (body.deletes === true && body.repair === undefined) {
        throw new HttpError(400, 'usage', 'deletes of the body: goes with repair')
      }
      const { pool, schema } = admin
      const installed = await idle(admin, document)
      const run = await requestVerify(pool, schema, { document, options: stated(body), requestedBy: who })
      return started(admin, run, { estimate: await estimate(admin, installed) })
    },
  }),
  post({
    ...requested,
    path: '/api/documents/:name/optimize',
    summary: 'Merge deleted documents away where they have become many',
    body: z.strictObject({
      threshold: z
        .number()
        .min(0)
        .max(1)
        .optional()
        .describe('Share of deleted documents from which an index is merged'),
    }),
    handle: async (admin, { params: { name: document }, body, who }) => {
      const { pool, schema } = admin
      const installed = await idle(admin, document)
      const run = await requestOptimize(pool, schema, { document, options: stated(body), requestedBy: who })
      return started(admin, run, { estimate: await estimate(admin, installed) })
    },
  }),
]

/** Whose an index is, by its alias or its own name: 404 where it is no index of sluice's, 409 where no search sees it. */
async function livingIndex(
  { pool, schema }: Admin,
  index: string,
): Promise<{ readonly document: string; readonly alias: string }> {
  const found = await indicesNamed(pool, schema, index)
  const living = found.find(({ role }) => role === 'live')
  if (living !== undefined) return living
  const [other] = found
  if (other === undefined) throw new HttpError(404, 'not-found', 'no index or alias of sluice has this name')
  throw new HttpError(409, 'failed', `this index is ${other.role}, and no search sees it`, {
    remedy: `The one that is searched is behind the alias ${other.alias}.`,
  })
}

/** The document, on which no run is under way; otherwise a 404, or a 409 that names the run. */
async function idle(admin: Admin, name: string): Promise<InstalledDocument> {
  const installed = await namedDocument(admin, name)
  const active = await activeRun(admin, name)
  if (active !== null) throw underWay(active)
  assertActive(installed)
  return installed
}

/** The run as it was requested. Where another request was quicker by a moment, a 409 that names that one. */
async function started(
  admin: Admin,
  { id, existing }: RequestedRun,
  {
    estimate: total,
    warnings = [],
  }: { readonly estimate: Total | null; readonly warnings?: readonly string[] },
) {
  if (existing) {
    const other = await readRun(admin.pool, admin.schema, id)
    throw other === null
      ? new HttpError(409, 'failed', 'the document was uninstalled in this moment')
      : underWay(other)
  }
  return { run: await shownRun(admin, id), estimate: total, warnings: [...warnings] }
}

function underWay({ id, kind, document, requestedBy }: Run): HttpError {
  return new HttpError(
    409,
    'run-under-way',
    `run ${id}, a ${kind} of ${document} requested by ${requestedBy}, is under way`,
    {
      run: id,
      remedy: `Wait for it (GET /api/runs/${id}), or cancel it: POST /api/runs/${id}/cancel.`,
    },
  )
}

/** Documents that the rows make; null where that takes more than two seconds. */
function estimate({ pool, schema }: Admin, { plan }: InstalledDocument): Promise<Total | null> {
  return briefly(pool, (client) => estimateTotal(client, viewSource(plan, schema)))
}

/** Without what is left out: the options of a run are stored as they are. */
function stated(body: { readonly [Name in keyof RunOptions]: RunOptions[Name] | undefined }): RunOptions {
  return Object.fromEntries(Object.entries(body).filter(([, value]) => value !== undefined))
}
