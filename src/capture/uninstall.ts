import type pg from 'pg'
import { quoteIdentifier, quoteTable } from '../catalog/quote.ts'
import type { Elasticsearch } from '../elasticsearch/client.ts'
import type { Queryable } from '../postgres/types.ts'
import { waitForOlderClaims } from '../queue/wait-for-older-claims.ts'
import { withInstallLock } from './install-lock.ts'
import {
  type DocumentRemoval,
  planUninstall,
  type UninstallInput,
  type UninstallPlan,
} from './plan-uninstall.ts'
import { withShortLocks } from './short-locks.ts'

export interface UninstallOptions extends UninstallInput {
  readonly pool: pg.Pool
  /** Null with `keepIndices`: then Elasticsearch is not asked for anything. */
  readonly elasticsearch: Elasticsearch | null
  /** Shown the plan; nothing is changed unless it resolves to true. */
  readonly confirm: (plan: UninstallPlan) => Promise<boolean>
  readonly onWait: (message: string) => void
}

export interface UninstallResult {
  readonly plan: UninstallPlan
  /** False when there was nothing to do, or it was not confirmed. */
  readonly done: boolean
}

/** A claim lives a minute at most, and a request its time-out. */
const olderClaimsTimeoutMs = 120_000

/**
 * Removes one document or everything, in an order in which a second call goes on where the first broke off: what
 * tells the names of the rest goes last. Per document: triggers, functions and views, and no more targets for new
 * batches; then the batches under way end, for one that writes to a dropped index would be refused at best
 * (invariant 13); then indices and the template that guards them; then our rows.
 */
export async function uninstall(options: UninstallOptions): Promise<UninstallResult> {
  const { pool, schema, confirm, onWait } = options
  return withInstallLock(pool, schema, onWait, async () => {
    const plan = await planUninstall(pool, options)
    if (plan.steps.length === 0 || !(await confirm(plan))) return { plan, done: false }
    for (const removal of plan.documents) {
      await withShortLocks(pool, (client) => disconnect(client, schema, removal), {
        tables: removal.tables,
        onWait,
      })
    }
    if (plan.documents.length > 0) await waitForOlderClaims(pool, schema, { timeoutMs: olderClaimsTimeoutMs })
    for (const removal of plan.documents) {
      await removeIndices(options.elasticsearch, removal)
      await forget(pool, schema, removal)
    }
    if (plan.dropSchema) {
      const drop = `DROP SCHEMA ${quoteIdentifier(schema)} CASCADE`
      await withShortLocks(pool, (client) => client.query(drop), {
        tables: [quoteTable({ schema, name: 'sync_queue' })],
        onWait,
      })
    }
    return { plan, done: true }
  })
}

/** CASCADE to the triggers, for DROP TRIGGER wants the owner of the table, and the functions are ours. */
async function disconnect(client: Queryable, schema: string, removal: DocumentRemoval): Promise<void> {
  const s = quoteIdentifier(schema)
  await client.query(
    `UPDATE ${s}.sync_document SET state = 'paused', reason = 'being uninstalled', changed_at = clock_timestamp()
      WHERE name = $1`,
    [removal.document],
  )
  await client.query(
    `UPDATE ${s}.sync_index SET role = 'retired', retired_at = coalesce(retired_at, clock_timestamp()) WHERE document = $1`,
    [removal.document],
  )
  const views = removal.views.map((name) => quoteTable({ schema, name }))
  if (views.length > 0) await client.query(`DROP VIEW ${views.join(', ')}`)
  if (removal.functions.length > 0)
    await client.query(`DROP FUNCTION ${removal.functions.join(', ')} CASCADE`)
}

async function removeIndices(
  elasticsearch: Elasticsearch | null,
  { indices, alias }: DocumentRemoval,
): Promise<void> {
  if (elasticsearch === null) return
  for (const index of indices) await elasticsearch.deleteIndex(index)
  if (alias !== null) await elasticsearch.deleteTemplate(alias)
}

/** The rows of sync_source, sync_index and sync_run go with the document's. sync_log is dropped by the day. */
async function forget(db: Queryable, schema: string, { document }: DocumentRemoval): Promise<void> {
  const s = quoteIdentifier(schema)
  await db.query(
    `WITH marks AS (DELETE FROM ${s}.sync_queue WHERE document = $1),
          failures AS (DELETE FROM ${s}.sync_failed WHERE document = $1),
          minutes AS (DELETE FROM ${s}.sync_rollup WHERE document = $1)
     DELETE FROM ${s}.sync_document WHERE name = $1`,
    [document],
  )
}
