import type pg from 'pg'
import { quoteIdentifier, quoteTable } from '../catalog/quote.ts'
import { isTenantPattern } from '../config/tenant-index.ts'
import type { DocumentDefinition } from '../config/types.ts'
import type { DocumentPlan } from '../documents/types.ts'
import type { Elasticsearch } from '../elasticsearch/client.ts'
import { ConfigError, FailedError } from '../errors.ts'
import { migrate } from '../postgres/migrate.ts'
import type { Queryable } from '../postgres/types.ts'
import { readTargets } from '../queue/read-targets.ts'
import { REWRITE, type RequestedRun, requestRun } from '../queue/request-run.ts'
import type { DocumentChange, RunWanted } from './document-change.ts'
import {
  type CreatedIndex,
  createDocumentIndex,
  indexHash,
  registerIndex,
  signedMappings,
} from './document-index.ts'
import { missingFields } from './mapping-changes.ts'
import type { InstallPlan } from './plan-install.ts'
import { withShortLocks } from './short-locks.ts'

export interface InstallTarget {
  readonly pool: pg.Pool
  /** For the migrations: they need a connection of their own. */
  readonly url: string
  readonly schema: string
  readonly elasticsearch: Elasticsearch
  /** Told what it waits for. */
  readonly onWait: (message: string) => void
}

/** A run that install asked for. */
export interface InstallRun {
  readonly document: string
  readonly kind: 'backfill' | 'verify' | 'reindex'
  /** Its id; where another run of the document is under way, that one's. */
  readonly id: string
  /** True when it follows run `id`, and begins when that has ended. */
  readonly follows: boolean
}

/**
 * Does what was planned, document by document; one that fails leaves those before it installed, and a second install
 * goes on from there.
 *
 * Per document, Elasticsearch first: an index that nobody writes to harms nobody, triggers without an index would.
 * Then one transaction for views, functions, triggers, our rows and the request of the run. The run is seen when the
 * triggers are, and CREATE TRIGGER has waited for every writer that did not see them: a walk that begins then misses
 * no row.
 */
export async function applyInstall(plan: InstallPlan, target: InstallTarget): Promise<readonly InstallRun[]> {
  const { pool, url, schema, elasticsearch, onWait } = target
  if (plan.migrate) await migrate(url, schema)
  const fresh = new Set(plan.changes.filter(({ index }) => index.first).map((change) => change.plan.index))
  for (const alias of plan.aliases) if (!fresh.has(alias)) await elasticsearch.putTemplate(alias)
  const runs: InstallRun[] = []
  for (const change of plan.changes) {
    let created: CreatedIndex | null = null
    try {
      created = await applyIndex(change, elasticsearch)
      const index = created
      const tables = [...new Set(change.plan.sources.map(({ table }) => quoteTable(table)))]
      const run = await withShortLocks(pool, (client) => applyDatabase(client, schema, change, index), {
        tables,
        onWait,
      })
      if (run) runs.push(run)
      await extendLateIndices(change, target)
    } catch (error) {
      // Nobody knows of it. What this cannot remove the next install will recognise.
      if (created) await elasticsearch.deleteIndex(created.name).catch(() => {})
      if (change.index.first) await elasticsearch.deleteTemplate(change.plan.index).catch(() => {})
      throw error
    }
  }
  return runs
}

async function applyIndex(
  change: DocumentChange,
  elasticsearch: Elasticsearch,
): Promise<CreatedIndex | null> {
  const { plan, index, maker } = change
  if (index.first) await elasticsearch.putTemplate(plan.index)
  const signed = signedMappings(plan, maker)
  for (const name of index.extend) await elasticsearch.putMappings(name, signed)
  for (const name of index.extendWhere) await extendWherePossible(elasticsearch, name, plan)
  if (index.create === null) return null
  if (index.create.remove) await elasticsearch.deleteIndex(index.create.remove)
  try {
    return await createDocumentIndex(elasticsearch, plan, plan.index, maker)
  } catch (error) {
    if (!(error instanceof ConfigError)) throw error
    throw new ConfigError(error.message, {
      where: `documents.${plan.document}`,
      remedy: 'Correct its mappings or settings, then: sluice install. Documents before it are installed.',
      cause: error,
    })
  }
}

/**
 * An index that is being replaced, or kept for a rollback, is written to by the new plan. It gets the new fields that it can
 * have; where it cannot have them, it ignores fields that it does not know instead of refusing the documents. What it has
 * under another type it goes on refusing: such failures are that index' own, and go with it.
 */
async function extendWherePossible(
  elasticsearch: Elasticsearch,
  name: string,
  { mappings }: DocumentPlan,
): Promise<void> {
  if ((await elasticsearch.indexUuid(name)) === null) return
  const missing = missingFields(await elasticsearch.getMappings(name), mappings)
  if (missing === null) return
  try {
    await elasticsearch.putMappings(name, missing)
  } catch (error) {
    if (!(error instanceof ConfigError)) throw error
    await elasticsearch.putMappings(name, { dynamic: 'false' })
  }
}

/**
 * Tenants' indices that the daemon made by the old plan after this install looked at them. None comes any more: the new
 * plan is committed, and a daemon looks at it under a lock (tenant-indices.ts).
 */
async function extendLateIndices(
  { plan, index }: DocumentChange,
  { pool, schema, elasticsearch }: InstallTarget,
): Promise<void> {
  if (!isTenantPattern(plan.index) || index.first || index.reindex !== null) return
  const known = new Set(index.extend)
  for (const { index: name } of await readTargets(pool, schema, plan.document))
    if (!known.has(name)) await elasticsearch.putMappings(name, plan.mappings)
}

/** The database's part of one document, in the caller's transaction. `created`: its new index, to be registered. */
export async function applyDatabase(
  client: Queryable,
  schema: string,
  change: DocumentChange,
  created: CreatedIndex | null,
): Promise<InstallRun | null> {
  const { plan, database, index, run } = change
  const document = plan.document
  for (const sql of database.views) await client.query(sql)
  // Operators and functions in what we generate are Postgres' own.
  await client.query('SET LOCAL search_path = pg_catalog, pg_temp')
  for (const sql of database.functions) await client.query(sql)
  // Deletes that the mass-delete brake holds back were derived from the old definition: they are looked at again.
  if (database.viewChanged || created)
    await client.query(`SELECT ${quoteIdentifier(schema)}.release_parked($1, false)`, [document])
  await writeDocument(client, schema, change)
  // For the daemon's role, where there is one: views that were dropped have lost their grants.
  await client.query(`SELECT ${quoteIdentifier(schema)}.grant_document($1)`, [document])
  if (index.lost.length > 0) {
    // Their failures with them: retried for an index that is gone they would never end, and the new one is filled anyway.
    const gone = [index.lost]
    await client.query(`DELETE FROM ${quoteIdentifier(schema)}.sync_failed WHERE target = ANY ($1)`, gone)
    await client.query(`DELETE FROM ${quoteIdentifier(schema)}.sync_index WHERE name = ANY ($1)`, gone)
  }
  if (created) await registerIndex(client, schema, plan, plan.index, created)
  if (index.reindex === null) await writeIndexHash(client, schema, plan)
  const requested = run === null ? null : await requestWanted(client, schema, document, run)
  // Last: from here to the commit the table's writers wait.
  for (const sql of database.triggers) await client.query(sql)
  return run && requested ? { document, kind: run.kind, id: requested.id, follows: requested.existing } : null
}

/** The definition is installed together with the request of its reindex, or not at all. */
async function requestWanted(
  client: Queryable,
  schema: string,
  document: string,
  { kind, reason, asked }: RunWanted,
): Promise<RequestedRun> {
  if (asked === undefined) {
    return requestRun(client, schema, {
      kind,
      ...(kind === 'verify' ? { options: REWRITE } : {}),
      document,
      ...(reason === 'installed' ? {} : { reason }),
      onActive: 'verify-after',
    })
  }
  const run = await requestRun(client, schema, { kind, document, ...asked })
  if (run.existing) {
    throw new FailedError(`run ${run.id} is under way, so nothing was installed`, {
      where: document,
      remedy: `Wait for it (sluice runs watch ${run.id}) or cancel it, then try again.`,
    })
  }
  return run
}

/** The living indices are what the plan says now. */
async function writeIndexHash(client: Queryable, schema: string, plan: DocumentPlan): Promise<void> {
  await client.query(
    `UPDATE ${quoteIdentifier(schema)}.sync_index SET hash = $2
      WHERE document = $1 AND role IN ('live', 'building') AND hash <> $2`,
    [plan.document, indexHash(plan)],
  )
}

/** With the text of its function, which says as much as can be said of it. */
function definitionJson(definition: DocumentDefinition): string {
  return JSON.stringify(definition, (_, value) => (typeof value === 'function' ? String(value) : value))
}

async function writeDocument(
  client: Queryable,
  schema: string,
  { plan, definition, hash, activate, database }: DocumentChange,
): Promise<void> {
  const s = quoteIdentifier(schema)
  await client.query(
    `INSERT INTO ${s}.sync_document AS d (name, hash, definition, plan) VALUES ($1, $2, $3, $4)
     ON CONFLICT (name) DO UPDATE SET hash = excluded.hash, definition = excluded.definition, plan = excluded.plan,
       state = CASE WHEN $5 THEN 'active' ELSE d.state END,
       reason = CASE WHEN $5 THEN NULL ELSE d.reason END,
       alarm = ${s}.brake_alarm(d.name), changed_at = clock_timestamp()`,
    [plan.document, hash, definitionJson(definition), JSON.stringify(plan), activate],
  )
  await client.query(`DELETE FROM ${s}.sync_source WHERE document = $1`, [plan.document])
  for (const { source, relation, tableName, capture, objects, fingerprint: noted } of database.sources) {
    await client.query(
      `INSERT INTO ${s}.sync_source (document, source, relation, table_name, capture, objects, fingerprint)
       VALUES ($1, $2, $3, $4, $5, $6, $7)`,
      [plan.document, source, relation, tableName, capture, JSON.stringify(objects), noted],
    )
  }
}
