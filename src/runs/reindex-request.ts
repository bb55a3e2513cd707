import { FailedError, UsageError } from '../errors.ts'
import { type InstalledDocument, readDocuments } from '../queue/read-documents.ts'
import { type RequestedRun, requestRun } from '../queue/request-run.ts'
import type { RunWork } from './context.ts'
import { readOptions } from './options.ts'
import { readRuns } from './read-runs.ts'
import { findPlaces } from './reindex-create.ts'
import { keptIndices } from './reindex-rollback.ts'
import type { Run, RunOptions } from './types.ts'

export interface ReindexRequest {
  readonly document: string
  readonly options: Pick<RunOptions, 'keepMs' | 'rollback' | 'adopt'>
  /** Who asks, for `sync_run.requested_by`. */
  readonly requestedBy: string
}

/** What asking takes: less than executing. */
export type ReindexAsking = Pick<RunWork, 'pool' | 'schema' | 'elasticsearch'>

/**
 * Requests a reindex of a document as it is installed, after everything about it has been looked at: it is active, its aliases
 * are as sluice made them, there is an index to go back to. Throws a UsageError or FailedError otherwise, and nothing is
 * written. Where a run is under way, that one's id is returned, and nothing is requested.
 */
export async function requestReindex(
  { pool, schema, elasticsearch }: ReindexAsking,
  { document, options, requestedBy }: ReindexRequest,
): Promise<RequestedRun> {
  const { plan, ...installed } = await installedDocument({ pool, schema }, document)
  const active = await activeRun({ pool, schema }, document)
  if (active !== null) return { id: active.id, existing: true }
  assertActive(document, installed)
  readOptions('reindex', options)
  const asked = { pool, schema, plan, elasticsearch }
  if (options.rollback === true) await keptIndices(asked)
  else await findPlaces(asked, options.adopt === true)
  return requestRun(pool, schema, { kind: 'reindex', document, options, requestedBy })
}

/** The run of a document that is under way, or null. */
export async function activeRun(
  { pool, schema }: Pick<RunWork, 'pool' | 'schema'>,
  document: string,
): Promise<Run | null> {
  const [run] = await readRuns(pool, schema, { document, active: true, limit: 1 })
  return run ?? null
}

/** Throws a FailedError for a document that nobody works on: the marks of a reindex would not be worked off. */
export function assertActive(
  document: string,
  { state, reason }: Pick<InstalledDocument, 'state' | 'reason'>,
): void {
  const because = reason === null ? '' : ` (${reason})`
  switch (state) {
    case 'active':
      return
    case 'paused':
      throw new FailedError(`it is paused${because}: its marks would not be worked off`, {
        where: document,
        remedy: `Put the cause right, then: sluice resume ${document}`,
      })
    case 'detached':
      throw new FailedError(
        `it is detached${because}: its triggers are off, so a new index would soon be out of date`,
        {
          where: document,
          remedy: 'sluice install puts the triggers back and requests a verify.',
        },
      )
  }
}

async function installedDocument(
  { pool, schema }: Pick<RunWork, 'pool' | 'schema'>,
  name: string,
): Promise<InstalledDocument> {
  const documents = await readDocuments(pool, schema)
  const found = documents.find((document) => document.name === name)
  if (found !== undefined) return found
  throw new UsageError(`no document "${name}" is installed`, {
    remedy: `Installed: ${documents.map((document) => document.name).join(', ') || 'none'}. sluice install adds what the configuration has.`,
  })
}
