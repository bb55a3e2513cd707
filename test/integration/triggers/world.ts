import pg from 'pg'
import { readCaptured } from '../../../src/capture/capture-gaps.ts'
import { checkMigration } from '../../../src/capture/check-migration.ts'
import { install } from '../../../src/capture/install.ts'
import { readMigration } from '../../../src/capture/migration-file.ts'
import { planInstall } from '../../../src/capture/plan-install.ts'
import { readReplicaSettings, replicaSettingText } from '../../../src/capture/replica-settings.ts'
import { connectElasticsearch } from '../../../src/elasticsearch/client.ts'
import { testElasticsearch } from '../../support/context.ts'
import { startPostgres } from '../../support/servers/index.ts'
import type { TriggerCase } from './case.ts'
import { definitions, rows, schema } from './schema.ts'

/** A Postgres of some version, with an application's tables, its rows, and everything installed. */
export interface TriggerWorld {
  /** Runs a case and takes it back. `plan`: asks install, too. */
  run(item: TriggerCase, plan: boolean): Promise<Told>
  /** What `sluice check --migration` says of its SQL. */
  check(item: TriggerCase): Promise<string[]>
  /** What install says of all documents, in the end. */
  toldOfAll(): Promise<readonly string[]>
  drop(): Promise<void>
}

export interface Told {
  /** As in `TriggerCase`. */
  readonly marks: readonly string[]
  /** SQLSTATE, or null. */
  readonly error: string | null
  readonly install: readonly string[]
  readonly gaps: readonly string[]
}

const SCHEMA = 'sluice'

export async function triggerWorld(version: number): Promise<TriggerWorld> {
  const server = await startPostgres({ version, settings: { max_prepared_transactions: '2', fsync: 'off' } })
  const search = testElasticsearch()
  const elasticsearch = connectElasticsearch({ url: search.url }, { requestTimeoutMs: 20_000 })
  const pool = new pg.Pool({ connectionString: server.url, max: 3 })
  pool.on('error', () => {})
  const configured = new Map(Object.entries(definitions(search.prefix, version)))
  await pool.query(schema(version))
  await pool.query(rows)
  await install({
    pool,
    url: server.url,
    schema: SCHEMA,
    definitions: configured,
    elasticsearch,
    backfill: false,
    dryRun: false,
    onPlan: () => {},
    onWait: () => {},
  })
  // The structural cases concern these; the others are only planned in the end.
  const structural = new Map([...configured].filter(([name]) => ['city', 'event', 'quiet'].includes(name)))
  const client = await pool.connect()
  // A lock that is never freed shall be an error.
  await client.query("SET lock_timeout = '5s'")
  const told = async (wanted = configured): Promise<string[]> => {
    const refused: string[] = []
    const onRefused = (_: string, error: Error) => refused.push(`refused: ${error.message}`)
    const { steps } = await planInstall(client, {
      schema: SCHEMA,
      definitions: wanted,
      elasticsearch: null,
      backfill: true,
      onRefused,
    })
    const all = [...steps.map(({ action, what }) => `${action} ${what}`), ...refused]
    const saying = all.filter((text) => /^(refused|request)/.test(text))
    return saying.length > 0 ? saying : all
  }

  return {
    run: async (item, plan) => {
      if (item.committed) return runCommitted(client, item, item.committed.undo)
      await client.query('BEGIN')
      try {
        await client.query(item.sql)
        await client.query('RESET ROLE')
        return {
          marks: await readMarks(client),
          error: null,
          install: plan ? await told(structural) : [],
          gaps: plan ? await readGaps(client) : [],
        }
      } catch (error) {
        if (error instanceof pg.DatabaseError && error.code === item.error)
          return { marks: [], error: error.code ?? null, install: [], gaps: [] }
        throw error
      } finally {
        await client.query('ROLLBACK')
      }
    },
    check: async ({ sql }) => {
      const files = [readMigration('x.sql', sql)]
      const { findings } = await checkMigration(pool, { schema: SCHEMA, definitions: structural, files })
      return findings.map(({ effect, kind, document }) => `${effect} ${kind} ${document}`)
    },
    toldOfAll: () => told(),
    drop: async () => {
      client.release()
      await pool.end()
      await elasticsearch.close()
      await search.drop()
      await server.stop()
    },
  }
}

/** Statement by statement, for PREPARE TRANSACTION is none that others can be sent with. */
async function runCommitted(client: pg.ClientBase, { sql }: TriggerCase, undo: string): Promise<Told> {
  try {
    for (const statement of sql.split(';\n')) await client.query(statement)
    return { marks: await readMarks(client), error: null, install: [], gaps: [] }
  } finally {
    await client.query('ROLLBACK')
    await client.query(undo)
    await client.query(`DELETE FROM ${SCHEMA}.sync_queue`)
  }
}

async function readGaps(client: pg.ClientBase): Promise<string[]> {
  const captured = await readCaptured(client, SCHEMA)
  return [
    ...captured.flatMap(({ gaps }) => gaps.map(({ kind, name }) => `${kind} ${name}`)),
    ...(await readReplicaSettings(client)).map((setting) => `replica ${replicaSettingText(setting)}`),
  ]
}

/** `city update 1,2`, in order; a tuple of several parts with a colon. Keys of new identities are told by nobody. */
async function readMarks(client: pg.ClientBase): Promise<string[]> {
  const { rows } = await client.query<{ document: string; op: string; keys: string[] | null }>(
    `SELECT document, op, array_agg(DISTINCT key COLLATE "C") FILTER (WHERE key IS NOT NULL) AS keys
       FROM ${SCHEMA}.sync_queue LEFT JOIN LATERAL unnest(keys) AS key ON true
      GROUP BY document, op ORDER BY document, op`,
  )
  return rows.map(({ document, op, keys }) => {
    const texts = keys?.map((key) => (key.startsWith('[') ? (JSON.parse(key) as string[]).join(':') : key))
    return `${document} ${op} ${texts?.join(',') ?? 'everything'}`
  })
}
