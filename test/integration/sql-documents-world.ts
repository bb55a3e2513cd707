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

/** Reports, their lines and who wrote those. */
export const TABLES = `
    CREATE TABLE customer (id int PRIMARY KEY, name text);
    CREATE TABLE report (id bigint PRIMARY KEY, title text, note text);
    CREATE TABLE line (id int PRIMARY KEY, report_id int, amount numeric(10,2), customer_id int, at timestamptz, comment text);
    CREATE INDEX ON line (report_id);
    INSERT INTO customer VALUES (1, 'Ada'), (2, 'Ben');
    INSERT INTO report VALUES (1, 'one', 'n'), (2, 'two', 'n'), (3, 'three', 'n');
    INSERT INTO line VALUES (10, 1, 1.50, 1, '2024-05-01 12:00+02', 'c'), (11, 1, 2, 2, NULL, 'c'), (20, 2, 4, 1, NULL, 'c')`

/** The report of DESIGN.md: a table of its own, and lines that it sums up. */
export const report: QueryDefinition = {
  table: 'report',
  id: ['id'],
  sql: `SELECT r.id, r.title, sum(l.amount)::numeric(12,2) AS "total.amount", count(l.id)::int AS "total.lines",
               min(l.at) AS since, coalesce(json_agg(json_build_object('amount', l.amount, 'by', c.name) ORDER BY l.id)
                 FILTER (WHERE l.id IS NOT NULL), '[]') AS lines
          FROM report r LEFT JOIN line l ON l.report_id = r.id LEFT JOIN customer c ON c.id = l.customer_id
         WHERE r.id = ANY($1) GROUP BY r.id -- all of it`,
  dependsOn: { line: 'report_id' },
  mappings: {
    properties: {
      lines: { type: 'nested', properties: { amount: { type: 'double' }, by: { type: 'keyword' } } },
    },
  },
}

export const byOwner: QueryDefinition = {
  table: 'line_owner',
  id: ['id'],
  sql: 'SELECT o.id, o.name, (SELECT sum(amount) FROM line l WHERE l.report_id = o.id) AS total FROM line_owner o WHERE o.id = ANY($1)',
  dependsOn: { 'public.line': 'report_id' },
}

/** The view of `byOwner`. */
export const ownersSql = (kind: 'VIEW' | 'MATERIALIZED VIEW') =>
  `CREATE ${kind} line_owner AS SELECT l.report_id::bigint AS id, min(c.name) AS name
     FROM line l JOIN customer c ON c.id = l.customer_id GROUP BY l.report_id`
