import { randomUUID } from 'node:crypto'
import { pino } from 'pino'
import { planDocuments } from '../../src/capture/plan-documents.ts'
import { readCatalog } from '../../src/catalog/read-catalog.ts'
import type { DocumentDefinition, Settings } from '../../src/config/types.ts'
import { decodeKey } from '../../src/documents/keys.ts'
import type { DocumentPlan } from '../../src/documents/types.ts'
import { Instance } from '../../src/runs/instance.ts'
import { type InstallWorld, installWorld } from './install-world.ts'

/** A document that a query makes; `index` is the world's. */
export type QueryDefinition = Omit<DocumentDefinition, 'index'>

export interface SqlWorld extends InstallWorld {
  readonly index: string
  sql(text: string, values?: unknown[]): Promise<void>
  /** Installs the document `report`, without a backfill, and returns its plan as the daemon gets it. */
  report(definition: QueryDefinition): Promise<DocumentPlan>
  /** Plans it, and changes nothing. */
  plan(definition: QueryDefinition): Promise<DocumentPlan>
  /** Key → parsed document or problem, of the keys that have one. */
  load(keys: readonly string[]): Promise<Record<string, unknown>>
  /** `source keys`, of the marks since the last call. */
  marks(): Promise<string[]>
  startDaemon(definition: QueryDefinition): { end(): Promise<void> }
  /** Id → document, of all that are in the index. */
  indexed(): Promise<Record<string, unknown>>
}

export async function sqlWorld(): Promise<SqlWorld> {
  const world = await installWorld()
  const { pool } = world.database
  const index = `${world.server.prefix}reports`
  const installed = async (): Promise<DocumentPlan> => {
    const { rows } = await pool.query<{ plan: DocumentPlan }>(
      `SELECT plan FROM sluice.sync_document WHERE name = 'report'`,
    )
    if (rows[0] === undefined) throw new Error('report is not installed')
    return rows[0].plan
  }
  return {
    ...world,
    index,
    sql: async (text, values) => {
      await pool.query(text, values)
    },
    report: async (definition) => {
      await world.install({ report: { index, ...definition } }, { backfill: false })
      return installed()
    },
    plan: async (definition) => {
      const client = await pool.connect()
      try {
        const definitions = new Map([['report', { index, ...definition }]])
        const [plan] = await planDocuments(client, 'sluice', await readCatalog(client), definitions)
        if (plan === undefined) throw new Error('no plan')
        return plan
      } finally {
        client.release()
      }
    },
    load: async (keys) => {
      const plan = await installed()
      const parts = keys.map((key) => decodeKey(key, plan.key.length))
      const { rows } = await pool.query<{ n: string; key: string; document: string; problem: string | null }>(
        plan.loadSql,
        plan.key.slice(0, plan.idParts).map((_, n) => parts.map((part) => part?.[n] ?? null)),
      )
      return Object.fromEntries(
        rows.map(({ n, key, document, problem }) => {
          if (keys[Number(n) - 1] !== key)
            throw new Error(`row ${n} is ${key}, asked for was ${keys[Number(n) - 1]}`)
          return [key, problem ?? JSON.parse(document)]
        }),
      )
    },
    marks: async () => {
      const { rows } = await pool.query<{ source: string; keys: string[] | null; op: string }>(
        'DELETE FROM sluice.sync_queue RETURNING source, keys, op',
      )
      return rows
        .map(({ source, keys, op }) => `${source}: ${keys?.join(' ') ?? 'everything'} (${op})`)
        .toSorted()
    },
    startDaemon: (definition) => startDaemon(world, { index, ...definition }),
    indexed: async () => {
      await world.server.request('POST', `/${index}/_refresh`)
      const found = (await world.server.request('GET', `/${index}/_search?size=100`)) as {
        hits: { hits: { _id: string; _source: unknown }[] }
      }
      return Object.fromEntries(found.hits.hits.map(({ _id, _source }) => [_id, _source]))
    },
  }
}

function startDaemon({ database, server, schema }: InstallWorld, definition: DocumentDefinition) {
  const settings: Settings = {
    postgres: database.url,
    elasticsearch: { url: server.url },
    schema,
    instance: `test-${randomUUID()}`,
    logLevel: 'silent',
    documents: new Map([['report', definition]]),
    file: 'sluice.config.ts',
    limits: {
      batchSize: 1000,
      batchBytes: 1024 * 1024,
      concurrency: 2,
      pollingInterval: 50,
      maxRetries: 5,
      requestTimeout: 20_000,
      shutdownTimeout: 20_000,
      syncLogRetentionDays: 7,
    },
  }
  const instance = new Instance({ settings, log: pino({ level: 'silent' }) })
  instance.start()
  return { end: () => instance.stop() }
}
