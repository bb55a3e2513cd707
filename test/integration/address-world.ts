import { isTenantPattern, tenantAlias } from '../../src/config/tenant-index.ts'
import type { DocumentDefinition, Transform } from '../../src/config/types.ts'
import { definitionHash } from '../../src/documents/hash.ts'
import { keyExpression } from '../../src/documents/key-sql.ts'
import { encodeKey } from '../../src/documents/keys.ts'
import type { DocumentPlan } from '../../src/documents/types.ts'
import { physicalName, templatePattern } from '../../src/elasticsearch/names.ts'
import { type BatchRequest, runBatch } from '../../src/sync/batch.ts'
import { Confidence } from '../../src/sync/confidence.ts'
import { SliceSizer } from '../../src/sync/slice-sizer.ts'
import type { BatchResult } from '../../src/sync/types.ts'
import { SCHEMA, type SyncWorld } from './sync-world.ts'

/** A row: where its document belongs, and what it says. Null: no such row. */
export interface Place {
  readonly tenant: string | null
  readonly route: string | null
  readonly name: string
}

/** Where a document was found, and what it says. */
export interface Found {
  readonly tenant: string | null
  readonly route: string | null
  readonly name: string
}

interface PlacesOptions {
  /** An index for each tenant. */
  readonly tenants?: boolean
  readonly routing?: boolean
  readonly shards?: number
  readonly transform?: Transform
  readonly pipeline?: string
  /** Of the index; default: those that fit. */
  readonly settings?: Readonly<Record<string, unknown>>
}

/** Documents that have an address: rows are written by hand, and so are their marks. */
export interface Places {
  readonly document: string
  readonly plan: DocumentPlan
  readonly definition: DocumentDefinition
  readonly request: BatchRequest
  readonly key: (id: number, at: Pick<Place, 'tenant' | 'route'>) => string
  /** Writes a row; its marks are the caller's to write. */
  put(id: number, place: Place | null): Promise<void>
  mark(keys: readonly string[], op?: string): Promise<void>
  /** Runs batches until the queue is empty, and says how the last one that was not empty ended. */
  drain(request?: Partial<BatchRequest>, batchSize?: number): Promise<BatchResult>
  /** All documents of an id, wherever they are. */
  find(id: number): Promise<readonly Found[]>
  /** Physical indices that are registered, by alias. */
  registered(): Promise<Readonly<Record<string, string>>>
  failures(): Promise<
    readonly {
      readonly key: string
      readonly state: string
      readonly type: string
      readonly reason: string
      readonly attempts: number
    }[]
  >
}

/** A row of a tenant, where it is found, and its key; without a routing. */
export const ofTenant = (tenant: string | null, name = 'x'): Place => ({ tenant, route: null, name })
export const foundOfTenant = (tenant: string | null, name = 'x') => [{ tenant, route: null, name }]
export const keyOfTenant = (docs: Places, id: number, tenant: string | null) =>
  docs.key(id, { tenant, route: null })

let count = 0

export async function places(world: SyncWorld, options: PlacesOptions = {}): Promise<Places> {
  const { tenants = false, routing = false, shards = 1 } = options
  const document = `place_${++count}`
  const { pool } = world.database
  const index = `${world.search.prefix}${document}${tenants ? '-{tenant}' : ''}`
  const transform = options.transform === undefined ? {} : { transform: options.transform }
  const definition: DocumentDefinition = { table: document, index, ...transform }
  const plan = placePlan({ document, index, options, shards })
  await pool.query(`CREATE TABLE ${document} (id bigint PRIMARY KEY, tenant text, route text, name text)`)
  await pool.query(plan.viewSql)
  await pool.query(
    `INSERT INTO "${SCHEMA}".sync_document (name, hash, definition, plan) VALUES ($1, $2, '{}', $3)`,
    [document, definitionHash(definition), JSON.stringify(plan)],
  )
  await world.elasticsearch.putTemplate(index)
  if (!isTenantPattern(index)) {
    const name = physicalName(index, new Date(), 'abcdef')
    const { mappings, settings } = plan
    const { uuid } = await world.elasticsearch.createIndex({ name, alias: index, mappings, settings })
    await pool.query(
      `INSERT INTO "${SCHEMA}".sync_index (name, document, alias, uuid, role, hash) VALUES ($1, $2, $3, $4, 'live', 'h')`,
      [name, document, index, uuid],
    )
  }
  const request: BatchRequest = {
    plan,
    hash: definitionHash(definition),
    ...transform,
    lane: 0,
    sizer: new SliceSizer(),
    confidence: new Confidence(() => performance.now()),
    dueLog: null,
  }
  const registered = async () => {
    const { rows } = await pool.query<{ alias: string; name: string }>(
      `SELECT alias, name FROM "${SCHEMA}".sync_index WHERE document = $1 ORDER BY alias`,
      [document],
    )
    return Object.fromEntries(rows.map(({ alias, name }) => [alias, name]))
  }
  return {
    document,
    plan,
    definition,
    request,
    key: (id, { tenant, route }) =>
      encodeKey([String(id), ...(tenants ? [tenant] : []), ...(routing ? [route] : [])]),
    put: async (id, place) => {
      await pool.query(`DELETE FROM ${document} WHERE id = $1`, [id])
      if (place === null) return
      const { tenant, route, name } = place
      await pool.query(`INSERT INTO ${document} VALUES ($1, $2, $3, $4)`, [id, tenant, route, name])
    },
    mark: async (keys, op = 'update') => {
      await pool.query(
        `INSERT INTO "${SCHEMA}".sync_queue (document, lane, keys, op) VALUES ($1, 0, $2, $3)`,
        [document, keys, op],
      )
    },
    drain: async (changed = {}, batchSize = 1000) => {
      const context = { ...world.context, limits: { ...world.context.limits, batchSize } }
      let last: BatchResult = { outcome: 'empty' }
      for (;;) {
        const result = await runBatch(context, { ...request, ...changed })
        if (result.outcome === 'empty') return last
        last = result
        if (result.outcome === 'given-back') return result
      }
    },
    find: async (id) => {
      const names = tenants ? templatePattern(index) : index
      await world.elasticsearch.refresh(names)
      const aliases = Object.entries(await registered())
      const hits = await world.elasticsearch.find(names, String(id))
      const found = await Promise.all(
        hits.map(async ({ index: name, routing: route }): Promise<Found> => {
          const { source } = await world.elasticsearch.get(name, String(id), route)
          const alias = aliases.find(([, physical]) => physical === name)?.[0] ?? name
          const tenant = tenants ? (tenantIn(index, alias) ?? alias) : null
          return { tenant, route, name: (source as { readonly name: string }).name }
        }),
      )
      return found.sort((a, b) => (JSON.stringify(a) < JSON.stringify(b) ? -1 : 1))
    },
    registered,
    failures: async () => {
      const { rows } = await pool.query(
        `SELECT key, state, type, reason, attempts FROM "${SCHEMA}".sync_failed WHERE document = $1 ORDER BY key`,
        [document],
      )
      return rows
    },
  }
}

/** Tenants of the tests, found by trying: not by the code that is tested. */
function tenantIn(index: string, alias: string): string | null {
  for (const tenant of ['a', 'b', 'c', 'A', '', 'ä']) if (tenantAlias(index, tenant) === alias) return tenant
  return null
}

interface PlanOf {
  readonly document: string
  readonly index: string
  readonly options: PlacesOptions
  readonly shards: number
}

function placePlan({ document, index, options, shards }: PlanOf): DocumentPlan {
  const { tenants = false, routing = false, pipeline, settings, transform } = options
  const text = 'pg_catalog.text'
  const key = [
    { name: 'id', type: 'pg_catalog.int8' },
    ...(tenants ? [{ name: 'tenant', type: text }] : []),
    ...(routing ? [{ name: 'route', type: text }] : []),
  ]
  const view = `document_${document}`
  const columns = key.map(({ name }, n) => `r.${name} AS key_${n + 1}`).join(', ')
  return {
    document,
    table: { schema: 'public', name: document },
    key,
    walkOrder: [0],
    idParts: 1,
    address: { tenant: tenants ? 1 : null, routing: routing ? key.length - 1 : null },
    view,
    viewSql: `CREATE VIEW "${SCHEMA}"."${view}" AS
      SELECT ${columns}, ${keyExpression(key, 'r')} AS key, json_build_object('id', id, 'name', name)::text AS document,
             CASE WHEN name = 'unindexable' THEN 'it says so' END AS problem
        FROM public.${document} r`,
    loadSql: `SELECT k.n, v.key, v.document, v.problem
      FROM unnest($1::bigint[]) WITH ORDINALITY AS k (key_1, n) JOIN "${SCHEMA}"."${view}" v USING (key_1)`,
    index,
    mappings: { dynamic: 'strict', properties: { id: { type: 'long' }, name: { type: 'keyword' } } },
    settings: { 'index.number_of_shards': shards, 'index.number_of_replicas': 0, ...settings },
    pipeline: pipeline ?? null,
    transform: transform !== undefined,
    sources: [],
    missingIndexes: [],
    columns: { used: ['id', 'name', 'tenant', 'route'], omitted: [] },
    warnings: [],
  }
}
