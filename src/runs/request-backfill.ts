import { escapeIdentifier, type Pool } from 'pg'
import type { DocumentPlan } from '../documents/types.ts'
import { type RequestedRun, requestRun } from '../queue/request-run.ts'
import { activeDocument } from './active-document.ts'
import { backfillSource } from './backfill.ts'
import { briefly } from './briefly.ts'
import { estimateTotal, type Total } from './estimate.ts'
import { type Filter, readFilter } from './filter.ts'
import { unknownTenant } from './tenant-rows.ts'
import type { RunOptions } from './types.ts'

export interface RequestedBackfill extends RequestedRun {
  /** Rows it would take as things stand, also in `sync_run.total`; null where that cannot be told within two seconds. */
  readonly estimate: Total | null
  readonly warnings: readonly string[]
}

export interface BackfillRequest {
  readonly document: string
  readonly options: RunOptions
  /** Who asks, for `sync_run.requested_by`. */
  readonly requestedBy: string
}

/**
 * Requests a backfill, after everything about it has been checked: the document is installed and active, and the
 * options make sense for its table. Throws a UsageError or FailedError otherwise, and nothing is written.
 */
export async function requestBackfill(
  pool: Pool,
  schema: string,
  request: BackfillRequest,
): Promise<RequestedBackfill> {
  const { document, options, requestedBy } = request
  const { plan, filter } = await checkBackfill(pool, schema, request)
  const source = backfillSource(plan, schema, filter)
  const estimate = await briefly(pool, (client) => estimateTotal(client, source))
  const warnings = [...filter.warnings, ...(await unknownTenant(pool, plan, filter, options))]
  const total = estimate?.total ?? null
  const run = await requestRun(pool, schema, { kind: 'backfill', document, options, requestedBy, total })
  return { ...run, estimate, warnings }
}

/** The checks of `requestBackfill` alone, for whoever requests several and wants all or none. */
export async function checkBackfill(
  pool: Pool,
  schema: string,
  { document, options }: Pick<BackfillRequest, 'document' | 'options'>,
): Promise<{ readonly plan: DocumentPlan; readonly filter: Filter }> {
  const { plan } = await activeDocument(pool, schema, document)
  return { plan, filter: await readFilter(pool, plan, options, null) }
}

/**
 * Documents that some living daemon works on with the installed definition: alive when seen within 15 seconds, by the
 * database's clock (invariant 14). A run of any other document waits until there is one.
 */
export async function attendedDocuments(pool: Pool, schema: string): Promise<ReadonlySet<string>> {
  const s = escapeIdentifier(schema)
  const { rows } = await pool.query<{ name: string }>(
    `SELECT d.name FROM ${s}.sync_document d
      WHERE EXISTS (
        SELECT FROM ${s}.sync_worker w
         WHERE w.state IN ('running', 'waiting')
           AND w.seen_at > clock_timestamp() - interval '15 seconds'
           AND w.documents ->> d.name = d.hash)`,
  )
  return new Set(rows.map(({ name }) => name))
}
