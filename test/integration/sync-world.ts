import type pg from 'pg'
import type { DocumentDefinition } from '../../src/config/types.ts'
import { definitionHash } from '../../src/documents/hash.ts'
import type { DocumentPlan } from '../../src/documents/types.ts'
import { connectElasticsearch, type Elasticsearch } from '../../src/elasticsearch/client.ts'
import { physicalName } from '../../src/elasticsearch/names.ts'
import { createPool } from '../../src/postgres/connect.ts'
import { readIdentity } from '../../src/postgres/identity.ts'
import { migrate } from '../../src/postgres/migrate.ts'
import type { BatchContext, BatchRequest } from '../../src/sync/batch.ts'
import { BlockedIndices } from '../../src/sync/blocked-indices.ts'
import { BulkGate } from '../../src/sync/bulk-gate.ts'
import { Confidence } from '../../src/sync/confidence.ts'
import { postgresStore } from '../../src/sync/postgres-store.ts'
import { SliceSizer } from '../../src/sync/slice-sizer.ts'
import {
  type TestDatabase,
  type TestElasticsearch,
  testDatabase,
  testElasticsearch,
} from '../support/context.ts'

/** The pipeline's smallest world: one table, one document, one index; marks are written by hand. */
export interface SyncWorld {
  readonly database: TestDatabase
  readonly search: TestElasticsearch
  readonly elasticsearch: Elasticsearch
  readonly plan: DocumentPlan
  readonly index: string
  readonly context: BatchContext & { readonly pool: pg.Pool }
  readonly request: BatchRequest
  /** Writes a row and its mark in one transaction, as a trigger does. */
  change(id: number, name: string | null): Promise<void>
  /** Marks that wait, claimed ones not yet settled among them. */
  pendingKeys(): Promise<number>
  /** Name in the index (default: the live one), or null. */
  indexed(id: number, index?: string): Promise<string | null>
  /** Creates and registers another index that every batch writes to, as a reindex does. */
  addTarget(suffix: string): Promise<string>
  drop(): Promise<void>
}

/** Not the default, so that a forgotten qualification shows. */
export const SCHEMA = 'Sluice sync'

/**
 * `own`: a database of the caller's instead of one in the run's server, for tests that crash the server. `url`: another
 * Elasticsearch than the run's.
 */
export async function createSyncWorld(own?: TestDatabase, url?: string): Promise<SyncWorld> {
  const database = own ?? (await testDatabase())
  const search = testElasticsearch(url)
  await migrate(database.url, SCHEMA)
  const { pool } = database
  const alias = `${search.prefix}thing`
  const index = physicalName(alias, new Date(), 'abcdef')
  const elasticsearch = connectElasticsearch({ url: search.url }, { requestTimeoutMs: 10_000 })
  const mappings = { dynamic: 'strict', properties: { id: { type: 'long' }, name: { type: 'keyword' } } }
  await elasticsearch.putTemplate(alias)
  const { uuid } = await elasticsearch.createIndex({ name: index, alias, mappings, settings: {} })

  const plan = thingPlan(alias, mappings)
  await pool.query('CREATE TABLE thing (id bigint PRIMARY KEY, name text)')
  await pool.query(plan.viewSql)
  await pool.query(
    `INSERT INTO "${SCHEMA}".sync_document (name, hash, definition, plan) VALUES ('thing', $2, '{}', $1)`,
    [JSON.stringify(plan), definitionHash(thing(alias))],
  )
  await pool.query(
    `INSERT INTO "${SCHEMA}".sync_index (name, document, alias, uuid, role, hash) VALUES ($1, 'thing', $2, $3, 'live', 'h')`,
    [index, alias, uuid],
  )
  const { server } = await readIdentity(pool)
  const workers = createPool(database.url, { max: 8, applicationName: 'sluice test' })
  const context: SyncWorld['context'] = {
    instance: 'test',
    limits: {
      batchSize: 1000,
      batchBytes: 1024 * 1024,
      concurrency: 2,
      pollingInterval: 50,
      maxRetries: 5,
      requestTimeout: 10_000,
      shutdownTimeout: 10_000,
      syncLogRetentionDays: 7,
    },
    pool: workers,
    store: postgresStore(workers, SCHEMA),
    elasticsearch,
    brake: { share: () => 0.1, size: (name) => elasticsearch.count(name) },
    server: () => server,
    gate: new BulkGate({ most: () => 1, limit: () => 1, now: () => performance.now() }),
    now: () => performance.now(),
    blocked: noneBlocked(),
  }
  return {
    database,
    search,
    elasticsearch,
    plan,
    index,
    context,
    request: {
      plan,
      hash: definitionHash(thing(alias)),
      lane: 0,
      sizer: new SliceSizer(),
      confidence: new Confidence(() => performance.now()),
      dueLog: null,
    },
    change: (id, name) => change(pool, id, name),
    pendingKeys: async () => {
      const { rows } = await pool.query<{ keys: number }>(
        `SELECT coalesce(sum(cardinality(keys)), 0)::integer AS keys FROM "${SCHEMA}".sync_queue`,
      )
      return rows[0]?.keys ?? 0
    },
    indexed: async (id, of = index) => {
      const { source } = await elasticsearch.get(of, String(id))
      return (source as { name?: string } | null | undefined)?.name ?? null
    },
    addTarget: async (suffix) => {
      const name = physicalName(alias, new Date(), suffix)
      const created = await elasticsearch.createIndex({ name, mappings, settings: {} })
      await pool.query(
        `INSERT INTO "${SCHEMA}".sync_index (name, document, alias, uuid, role, hash) VALUES ($1, 'thing', $2, $3, 'building', 'h')`,
        [name, alias, created.uuid],
      )
      return name
    },
    drop: async () => {
      await elasticsearch.close()
      await workers.end()
      await search.drop()
      await database.drop()
    },
  }
}

/** The memory of a daemon that has just been started. */
export const noneBlocked = () =>
  new BlockedIndices({
    now: () => performance.now(),
    random: Math.random,
    trialMs: 20_000,
    onBlocked: () => {},
    onFree: () => {},
  })

async function change(pool: pg.Pool, id: number, name: string | null): Promise<void> {
  const client = await pool.connect()
  try {
    await client.query('BEGIN')
    if (name === null) await client.query('DELETE FROM thing WHERE id = $1', [id])
    else {
      await client.query(
        'INSERT INTO thing VALUES ($1, $2) ON CONFLICT (id) DO UPDATE SET name = excluded.name',
        [id, name],
      )
    }
    await client.query(
      `INSERT INTO "${SCHEMA}".sync_queue (document, lane, keys, op) VALUES ('thing', 0, $1, 'update')`,
      [[String(id)]],
    )
    await client.query('COMMIT')
  } finally {
    client.release()
  }
}

/** What a configuration would say. */
export const thing = (alias: string): DocumentDefinition => ({ table: 'thing', index: alias })

function thingPlan(alias: string, mappings: DocumentPlan['mappings']): DocumentPlan {
  const view = 'document_thing'
  return {
    document: 'thing',
    table: { schema: 'public', name: 'thing' },
    key: [{ name: 'id', type: 'bigint' }],
    walkOrder: [0],
    idParts: 1,
    address: { tenant: null, routing: null },
    view,
    viewSql: `CREATE VIEW "${SCHEMA}"."${view}" AS
      SELECT id AS key_1, id::text AS key, to_json(r)::text AS document, NULL::text AS problem FROM public.thing r`,
    loadSql: `SELECT k.n, v.key, v.document, v.problem
      FROM unnest($1::bigint[]) WITH ORDINALITY AS k (key_1, n) JOIN "${SCHEMA}"."${view}" v USING (key_1)`,
    index: alias,
    mappings,
    settings: {},
    pipeline: null,
    transform: false,
    sources: [],
    missingIndexes: [],
    columns: { used: ['id', 'name'], omitted: [] },
    warnings: [],
  }
}
