import pg from 'pg'
import { pino } from 'pino'
import { install } from '../../../src/capture/install.ts'
import { quoteIdentifier } from '../../../src/catalog/quote.ts'
import { type DriftedIndices, readMappingDrift } from '../../../src/cli/doctor/mapping-drift.ts'
import type { DocumentDefinition, Settings } from '../../../src/config/types.ts'
import type { DocumentPlan } from '../../../src/documents/types.ts'
import { connectElasticsearch, type Elasticsearch } from '../../../src/elasticsearch/client.ts'
import { createPool } from '../../../src/postgres/connect.ts'
import { Daemon } from '../../../src/sync/daemon.ts'
import { eventually, type TestDatabase, testDatabase, testElasticsearch } from '../../support/context.ts'

const SCHEMA = 'Sluice values ü'
const s = quoteIdentifier(SCHEMA)

/**
 * What a database may be set to that changes how values are printed or SQL is read. The documents must not depend on
 * it; whoever writes the cases sets it back, so that they mean what they say.
 */
const oddSettings = {
  datestyle: "'SQL, DMY'",
  intervalstyle: "'sql_standard'",
  bytea_output: "'escape'",
  extra_float_digits: '-15',
  standard_conforming_strings: 'off',
  quote_all_identifiers: 'on',
  array_nulls: 'off',
  transform_null_equals: 'on',
  search_path: 'pg_catalog',
}
const standardSettings = `
  SET datestyle = 'ISO, MDY'; SET intervalstyle = 'postgres'; SET standard_conforming_strings = on;
  SET array_nulls = on; SET transform_null_equals = off; SET search_path = public`

/** The whole way: an application that writes, an install, a daemon, and what is in the index in the end. */
export interface ValuesWorld {
  /** Of the application. */
  readonly client: pg.Client
  readonly prefix: string
  install(definitions: Readonly<Record<string, DocumentDefinition>>, dryRun?: boolean): Promise<void>
  /** Starts a daemon and resolves when it has nothing more to do. */
  drain(): Promise<void>
  /** `_source` as text, or null. */
  source(document: string, id: string): Promise<string | null>
  count(document: string): Promise<number>
  /** Dead letters: `id` → `reason`. */
  dead(document: string): Promise<ReadonlyMap<string, string>>
  /** What `doctor` takes for a mapping that somebody changed. */
  drift(): Promise<readonly DriftedIndices[]>
  drop(): Promise<void>
}

export async function valuesWorld(elasticsearchUrl: string): Promise<ValuesWorld> {
  const database = await testDatabase()
  const search = testElasticsearch(elasticsearchUrl)
  const elasticsearch = connectElasticsearch({ url: elasticsearchUrl }, { requestTimeoutMs: 20_000 })
  const client = await writer(database)
  const documents = new Map<string, DocumentDefinition>()
  const endings: (() => Promise<void>)[] = []
  const rows = async <T extends pg.QueryResultRow>(sql: string, values: unknown[] = []) =>
    (await client.query<T>(sql, values)).rows

  return {
    client,
    prefix: search.prefix,
    install: async (definitions, dryRun = false) => {
      await install({
        pool: database.pool,
        url: database.url,
        schema: SCHEMA,
        definitions: new Map(Object.entries(definitions)),
        elasticsearch,
        backfill: false,
        dryRun,
        onPlan: () => {},
        onWait: () => {},
      })
      for (const [name, definition] of Object.entries(definitions)) documents.set(name, definition)
    },
    drain: async () => {
      endings.push(startDaemon(database.url, elasticsearchUrl, documents))
      const waiting = `SELECT (SELECT count(*) FROM ${s}.sync_queue)::int AS marks,
                              (SELECT count(*) FROM ${s}.sync_failed WHERE state = 'retrying')::int AS retrying`
      const failures = `SELECT document, id, type, reason FROM ${s}.sync_failed`
      const paused = `SELECT name, reason FROM ${s}.sync_document WHERE state <> 'active' OR reason IS NOT NULL`
      const pauses = `SELECT pauses FROM ${s}.sync_worker`
      await eventually(
        async () => {
          const [state] = await rows<{ marks: number; retrying: number }>(waiting)
          return state?.marks === 0 && state.retrying === 0
        },
        {
          timeoutMs: 60_000,
          describe: async () => [
            await rows(waiting),
            await rows(paused),
            await rows(pauses),
            await rows(failures),
          ],
        },
      )
    },
    source: async (document, id) => {
      const path = `/${search.prefix}${document}/_source/${encodeURIComponent(id)}`
      const answer = await fetch(new URL(path, elasticsearchUrl))
      return answer.ok ? answer.text() : null
    },
    count: async (document) => {
      await search.request('POST', `/${search.prefix}${document}/_refresh`)
      return ((await search.request('GET', `/${search.prefix}${document}/_count`)) as { count: number }).count
    },
    dead: async (document) => {
      const failed = await rows<{ id: string; reason: string }>(
        `SELECT id, reason FROM ${s}.sync_failed WHERE document = $1`,
        [document],
      )
      return new Map(failed.map(({ id, reason }) => [id, reason]))
    },
    drift: async () => {
      const plans = await rows<{ plan: DocumentPlan }>(`SELECT plan FROM ${s}.sync_document`)
      return readMappingDrift(
        database.pool,
        SCHEMA,
        elasticsearch,
        plans.map(({ plan }) => plan),
      )
    },
    drop: async () => {
      for (const end of endings) await end()
      await client.end()
      await elasticsearch.close()
      await search.drop()
      await database.drop()
    },
  }
}

async function writer({ url, pool }: TestDatabase): Promise<pg.Client> {
  const name = quoteIdentifier(new URL(url).pathname.slice(1))
  const admin = await pool.connect()
  for (const [setting, value] of Object.entries(oddSettings)) {
    await admin.query(`ALTER DATABASE ${name} SET ${setting} = ${value}`)
  }
  // Its session began before.
  admin.release(true)
  const client = new pg.Client({ connectionString: url })
  await client.connect()
  await client.query(standardSettings)
  return client
}

function startDaemon(
  url: string,
  elasticsearchUrl: string,
  documents: ReadonlyMap<string, DocumentDefinition>,
): () => Promise<void> {
  const settings: Settings = {
    postgres: url,
    elasticsearch: { url: elasticsearchUrl },
    schema: SCHEMA,
    instance: 'values',
    logLevel: 'silent',
    documents,
    file: 'sluice.config.ts',
    limits: {
      batchSize: 1000,
      batchBytes: 1024 * 1024,
      concurrency: 2,
      pollingInterval: 50,
      maxRetries: 5,
      requestTimeout: 20_000,
      shutdownTimeout: 10_000,
      syncLogRetentionDays: 7,
    },
  }
  const pool = createPool(url, { max: 8, applicationName: 'sluice values' })
  const elasticsearch: Elasticsearch = connectElasticsearch(settings.elasticsearch, {
    requestTimeoutMs: 20_000,
  })
  const daemon = new Daemon({ settings, pool, elasticsearch, log: pino({ level: 'silent' }) })
  daemon.start()
  return async () => {
    await daemon.stop()
    await pool.end()
    await elasticsearch.close()
  }
}
