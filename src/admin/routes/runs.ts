import { z } from 'zod'

import { runToJson } from '../../answers/run-to-json.ts'
import { readRun, readRuns, readWaits } from '../../runs/read-runs.ts'
import { get } from '../endpoint.ts'
import { HttpError } from '../errors.ts'
import { documentName, limit, runId } from '../inputs.ts'
import { oneRunJson, runsPageJson } from '../json.ts'
import type { Admin } from '../types.ts'

export const runsEndpoints = [
  get({
    path: '/api/runs',
    summary: 'Long runs, the newest first',
    query: z.strictObject({
      document: documentName.optional(),
      active: z.enum(['true', 'false']).default('false').describe('Only those under way'),
      limit,
      after: runId.optional().describe('"next" of the answer before'),
    }),
    answer: runsPageJson,
    handle: async ({ pool, schema }, { query }) => {
      const { document, active, after } = query
      const runs = await readRuns(pool, schema, {
        ...(document === undefined ? {} : { document }),
        ...(after === undefined ? {} : { before: after }),
        active: active === 'true',
        limit: query.limit,
      })
      const waits = await readWaits(pool, schema)
      return {
        runs: runs.map((run) => runToJson(run, waits.get(run.id))),
        next: runs.length === query.limit ? (runs.at(-1)?.id ?? null) : null,
      }
    },
  }),
  get({
    path: '/api/runs/:id',
    summary: 'All about one run',
    params: z.strictObject({ id: runId }),
    answer: oneRunJson,
    handle: async (admin, { params }) => ({ run: await shownRun(admin, params.id) }),
  }),
]

/** A run as it stands now. Throws a 404. */
export async function shownRun(
  { pool, schema }: Admin,
  id: string,
): Promise<z.input<typeof oneRunJson>['run']> {
  const run = await readRun(pool, schema, id)
  if (run === null) throw new HttpError(404, 'not-found', `there is no run ${id}`)
  return runToJson(run, (await readWaits(pool, schema)).get(id))
}
