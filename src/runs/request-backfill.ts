import { escapeIdentifier, type Pool } from 'pg'
import { suggest } from '../catalog/suggest.ts'
import { FailedError, UsageError } from '../errors.ts'
import { type InstalledDocument, readDocuments } from '../queue/read-documents.ts'
import { requestRun } from '../queue/request-run.ts'
import { hasFilter, readFilter } from './filter.ts'
import type { RunOptions } from './types.ts'

export interface Requested {
  readonly id: string
  /** True when a run of this document is under way already: `id` is that one, and nothing was requested. */
  readonly existing: boolean
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
): Promise<Requested> {
  const { document, options, requestedBy } = request
  const warnings = await checkBackfill(pool, schema, request)
  const run = await requestRun(pool, schema, { kind: 'backfill', document, options, requestedBy })
  return { ...run, warnings }
}

/** The checks of `requestBackfill` alone, for whoever requests several and wants all or none. Returns its warnings. */
export async function checkBackfill(
  pool: Pool,
  schema: string,
  { document, options }: Pick<BackfillRequest, 'document' | 'options'>,
): Promise<readonly string[]> {
  const { plan } = await installedDocument(pool, schema, document)
  return hasFilter(options) ? (await readFilter(pool, plan, options, null)).warnings : []
}

async function installedDocument(pool: Pool, schema: string, name: string): Promise<InstalledDocument> {
  const documents = await readDocuments(pool, schema)
  const found = documents.find((document) => document.name === name)
  if (found === undefined) {
    const names = documents.map((document) => document.name)
    throw new UsageError(`no document "${name}" is installed${suggest(name, names)}`, {
      remedy: `Installed: ${names.join(', ') || 'none'}. sluice install adds what the configuration has.`,
    })
  }
  const because = found.reason === null ? '' : ` (${found.reason})`
  switch (found.state) {
    case 'active':
      return found
    case 'paused':
      throw new FailedError(`it is paused${because}: its marks would not be worked off`, {
        where: name,
        remedy: `Put the cause right, then: sluice resume ${name}`,
      })
    case 'detached':
      throw new FailedError(
        `it is detached${because}: its triggers are off, so whatever a run does would soon be out of date`,
        {
          where: name,
          remedy: 'sluice install puts the triggers back and requests a backfill.',
        },
      )
  }
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
