import type { ReindexAsked } from '../../src/capture/document-change.ts'
import { type InstallResult, install } from '../../src/capture/install.ts'
import type { InstallPlan } from '../../src/capture/plan-install.ts'
import type { Step } from '../../src/capture/steps.ts'
import { type UninstallResult, uninstall } from '../../src/capture/uninstall.ts'
import type { DocumentDefinition } from '../../src/config/types.ts'
import { connectElasticsearch, type Elasticsearch } from '../../src/elasticsearch/client.ts'
import {
  type TestDatabase,
  type TestElasticsearch,
  testDatabase,
  testElasticsearch,
} from '../support/context.ts'

export type Definitions = Readonly<Record<string, DocumentDefinition>>

/** A database and an Elasticsearch to install into. */
export interface InstallWorld {
  readonly database: TestDatabase
  readonly server: TestElasticsearch
  readonly elasticsearch: Elasticsearch
  readonly schema: string
  install(definitions: Definitions, options?: InstallWorldOptions): Promise<InstallResult>
  uninstall(
    document?: string,
    options?: { keepIndices?: boolean; confirm?: boolean },
  ): Promise<UninstallResult>
  /** One value of the first row. */
  value(sql: string, values?: unknown[]): Promise<unknown>
  /** Everything there is in the database and in Elasticsearch, by name. */
  everything(): Promise<string[]>
  drop(): Promise<void>
}

export interface InstallWorldOptions {
  readonly dryRun?: boolean
  readonly backfill?: boolean
  readonly onPlan?: (plan: InstallPlan) => void
  readonly onWait?: (message: string) => void
  readonly database?: TestDatabase
  readonly reindex?: ReindexAsked
  readonly only?: string
}

/** `postgres`: another server than the run's. */
export async function installWorld(schema = 'sluice', postgres?: string): Promise<InstallWorld> {
  const database = await testDatabase(postgres)
  const server = testElasticsearch()
  const elasticsearch = connectElasticsearch({ url: server.url }, { requestTimeoutMs: 20_000 })
  const value: InstallWorld['value'] = async (sql, values = []) => {
    const { rows } = await database.pool.query<Record<string, unknown>>(sql, values)
    return Object.values(rows[0] ?? {})[0]
  }
  return {
    database,
    server,
    elasticsearch,
    schema,
    value,
    install: (definitions, options = {}) =>
      install({
        pool: database.pool,
        url: database.url,
        schema,
        definitions: new Map(Object.entries(definitions)),
        elasticsearch,
        backfill: true,
        dryRun: false,
        onPlan: () => {},
        onWait: () => {},
        ...options,
      }),
    uninstall: (document, { keepIndices = false, confirm = true } = {}) =>
      uninstall({
        pool: database.pool,
        schema,
        elasticsearch: keepIndices ? null : elasticsearch,
        document: document ?? null,
        keepIndices,
        confirm: async () => confirm,
        onWait: () => {},
      }),
    everything: async () => {
      const { rows } = await database.pool.query<{ name: string }>(OBJECTS)
      return [...rows.map(({ name }) => name), ...(await searchObjects(server))]
    },
    drop: async () => {
      await elasticsearch.close()
      await server.request('DELETE', `/_index_template/sluice-${server.prefix}*`)
      await server.drop()
      await database.drop()
    },
  }
}

/** A city to install, its tables made anew before each test. */
export interface CityWorld extends InstallWorld {
  readonly city: DocumentDefinition
  /** Nothing is installed, and the tables are empty. */
  clear(): Promise<void>
  /** Marks in the queue. */
  marks(): Promise<unknown>
  /** Kind and state of the run that was requested. */
  activeRun(): Promise<unknown>
  cancelRuns(): Promise<unknown>
}

export async function cityWorld(): Promise<CityWorld> {
  const world = await installWorld()
  return {
    ...world,
    city: { table: 'geo.city', index: `${world.server.prefix}cities`, fields: ['id', 'name'] },
    clear: async () => {
      await world.uninstall()
      await world.database.pool.query(`
        DROP SCHEMA IF EXISTS geo CASCADE;
        CREATE SCHEMA geo;
        CREATE TABLE geo.city (id bigint PRIMARY KEY, name text, note text, population int);
        CREATE TABLE geo.country (code text PRIMARY KEY, name text)`)
    },
    marks: () => world.value('SELECT count(*)::int FROM sluice.sync_queue'),
    activeRun: () =>
      world.value(
        "SELECT kind || ' ' || state FROM sluice.sync_run WHERE state = 'requested' AND document = 'city'",
      ),
    cancelRuns: () => world.database.pool.query("UPDATE sluice.sync_run SET state = 'cancelled'"),
  }
}

/** `+ view document_city`, without the steps' documents. */
export function lines(steps: readonly Step[]): string[] {
  const signs = { create: '+', change: '~', remove: '-', request: '→' }
  return steps.map(({ action, what }) => `${signs[action]} ${what}`)
}

const OBJECTS = `
  SELECT 'schema ' || nspname AS name FROM pg_namespace WHERE nspname !~ '^pg_(toast_)?temp'
  UNION ALL SELECT 'relation ' || oid::regclass || ' ' || relkind::text FROM pg_class WHERE relnamespace <> 'pg_toast'::regnamespace AND oid > 16000
  UNION ALL SELECT 'function ' || oid::regprocedure FROM pg_proc WHERE oid > 16000
  UNION ALL SELECT 'type ' || oid::regtype FROM pg_type WHERE oid > 16000
  UNION ALL SELECT 'trigger ' || tgname || ' on ' || tgrelid::regclass || ' ' || tgenabled::text FROM pg_trigger
  UNION ALL SELECT 'comment ' || objoid || ' ' || description FROM pg_description WHERE objoid > 16000
  UNION ALL SELECT 'dependency ' || pg_describe_object(classid, objid, objsubid) FROM pg_depend WHERE objid > 16000
  ORDER BY name`

async function searchObjects({ request, prefix }: TestElasticsearch): Promise<string[]> {
  const indices = await request('GET', `/${prefix}*?features=aliases&expand_wildcards=all`)
  const templates = await request(
    'GET',
    `/_index_template/sluice-${prefix}*?filter_path=index_templates.name`,
  )
  return [JSON.stringify(indices), JSON.stringify(templates)]
}
