import type { DocumentPlan, SourcePlan } from '../../src/documents/types.ts'
import { type BatchRequest, runBatch } from '../../src/sync/batch.ts'
import { createSyncWorld, SCHEMA, type SyncWorld } from './sync-world.ts'

/** The world of the pipeline, and tables around its own: things have owners and parts. Marks are written by hand. */
export interface ExpandWorld extends SyncWorld {
  readonly related: BatchRequest
  /** A thing and whose it is; no mark. */
  own(id: number, owner: string, region?: string): Promise<void>
  mark(mark: HandMark): Promise<void>
  marks(): Promise<readonly QueuedMark[]>
  /** Minutes since each mark was written, by the database's clock. */
  ages(): Promise<readonly number[]>
  runs(): Promise<readonly object[]>
  failures(): Promise<readonly object[]>
  /** As the plan has them. */
  restoreViews(): Promise<void>
  /** Empties all tables. */
  clear(): Promise<void>
}

export interface HandMark {
  readonly source?: string
  readonly keys: readonly string[] | null
  readonly op?: string
  readonly lane?: number
  readonly origin?: string
  readonly ageMinutes?: number
  readonly runId?: string
  readonly target?: string
}

export interface QueuedMark {
  readonly id: string
  readonly lane: number
  readonly source: string
  readonly keys: readonly string[] | null
  readonly op: string
  readonly origin: string
  readonly target: string | null
  readonly run: string | null
  readonly createdAt: string
}

export async function createExpandWorld(): Promise<ExpandWorld> {
  const world = await createSyncWorld()
  const { pool } = world.database
  const plan = { ...world.plan, sources: relatedSources(world.plan) }
  await pool.query('CREATE TABLE ownership (thing_id bigint, owner text, region text)')
  await pool.query('CREATE INDEX ON ownership (owner, region)')
  for (const { expansion } of plan.sources) if (expansion !== null) await pool.query(expansion.viewSql)
  return {
    ...world,
    plan,
    related: { ...world.request, plan },
    own: async (id, owner, region) => {
      await pool.query('INSERT INTO thing VALUES ($1, $2) ON CONFLICT DO NOTHING', [id, `thing ${id}`])
      await pool.query('INSERT INTO ownership VALUES ($1, $2, $3)', [id, owner, region ?? null])
    },
    mark: async ({ source = '', keys, op = 'update', lane = 0, origin, ageMinutes = 0, runId, target }) => {
      await pool.query(
        `INSERT INTO "${SCHEMA}".sync_queue (document, lane, source, keys, op, origin, created_at, run_id, target)
         VALUES ('thing', $1, $2, $3, $4, coalesce($5::xid8, pg_current_xact_id()),
                 clock_timestamp() - make_interval(mins => $6), $7, $8)`,
        [lane, source, keys, op, origin ?? null, ageMinutes, runId ?? null, target ?? null],
      )
    },
    marks: async () => {
      const { rows } = await pool.query<QueuedMark>(
        `SELECT id::text, lane, source, keys, op, origin::text, target, run_id::text AS run,
                created_at::text AS "createdAt"
           FROM "${SCHEMA}".sync_queue ORDER BY sync_queue.id`,
      )
      return rows
    },
    ages: async () => {
      const { rows } = await pool.query<{ minutes: number }>(
        `SELECT round(extract(epoch FROM clock_timestamp() - created_at) / 60)::integer AS minutes
           FROM "${SCHEMA}".sync_queue ORDER BY sync_queue.id`,
      )
      return rows.map(({ minutes }) => minutes)
    },
    runs: async () =>
      (await pool.query(`SELECT kind, reason, origin::text, truncated FROM "${SCHEMA}".sync_run ORDER BY id`))
        .rows,
    failures: async () => (await pool.query(`SELECT FROM "${SCHEMA}".sync_failed`)).rows,
    restoreViews: async () => {
      for (const { expansion } of plan.sources) {
        if (expansion === null) continue
        await pool.query(`DROP VIEW IF EXISTS "${SCHEMA}"."${expansion.view}"`)
        await pool.query(expansion.viewSql)
      }
    },
    clear: async () => {
      await pool.query(
        `TRUNCATE thing, ownership, "${SCHEMA}".sync_queue, "${SCHEMA}".sync_failed, "${SCHEMA}".sync_run`,
      )
    },
  }
}

/**
 * Marks that lead to more documents than go into one batch. `world` is asked for whenever something is done: a hook makes
 * it.
 */
export function largeExpansions(world: () => ExpandWorld) {
  const run = (lane: 0 | 1 = 0) => runBatch(world().context, { ...world().related, lane })

  /** Things 1 to `count`, all of one owner; no marks. */
  const ownMany = async (owner: string, count: number, from = 1) => {
    await world().database.pool.query(
      `WITH n AS (SELECT generate_series($2::int, $2::int + $3::int - 1) AS id),
            t AS (INSERT INTO thing SELECT id, 'thing ' || id FROM n)
       INSERT INTO ownership SELECT id, $1 FROM n`,
      [owner, from, count],
    )
  }

  const keysOf = async () => (await world().marks()).flatMap(({ keys }) => keys ?? [])

  /** Puts a view back that a test has replaced. */
  async function restoreView(name: keyof typeof views): Promise<void> {
    const { pool } = world().database
    await pool.query(`DROP VIEW IF EXISTS "${SCHEMA}"."${views[name]}"`)
    const viewSql = world().plan.sources.find(({ source }) => source === name)?.expansion?.viewSql
    await pool.query(viewSql ?? '')
  }

  return { run, ownMany, keysOf, restoreView }
}

/** Names of the expansion views, as a plan has them. */
export const views = { owner: 'links_thing.owner', place: 'links_thing.place', parts: 'links_thing.parts' }

function relatedSources({ key }: DocumentPlan): readonly SourcePlan[] {
  const owned = (links: string) =>
    `SELECT ${links}, t.id::text AS key FROM public.thing t JOIN public.ownership o ON o.thing_id = t.id`
  return [
    source('', key, null),
    source('owner', [], {
      view: views.owner,
      viewSql: `CREATE VIEW "${SCHEMA}"."${views.owner}" AS ${owned('o.owner AS link_1')}`,
      links: ['pg_catalog.text'],
    }),
    source('place', [], {
      view: views.place,
      viewSql: `CREATE VIEW "${SCHEMA}"."${views.place}" AS ${owned('o.owner AS link_1, o.region AS link_2')}`,
      links: ['pg_catalog.text', 'pg_catalog.text'],
    }),
    source('parts', [], {
      view: views.parts,
      viewSql: `CREATE VIEW "${SCHEMA}"."${views.parts}" AS SELECT t.id AS link_1, t.id::text AS key FROM public.thing t`,
      links: ['pg_catalog.int8'],
    }),
    source('public.note', key, null),
  ]
}

const source = (name: string, key: SourcePlan['key'], expansion: SourcePlan['expansion']): SourcePlan => ({
  source: name,
  table: { schema: 'public', name: 'thing' },
  key,
  rowKey: key,
  expansion,
  usedColumns: [],
  compare: false,
  capture: 'statement',
  always: false,
  leaves: [],
})
