import { pino } from 'pino'
import type { DocumentDefinition, Settings } from '../../src/config/types.ts'
import { readDocuments } from '../../src/queue/read-documents.ts'
import type { RunContext } from '../../src/runs/context.ts'
import { Instance } from '../../src/runs/instance.ts'
import { readRun } from '../../src/runs/read-runs.ts'
import { requestReindex } from '../../src/runs/reindex-request.ts'
import { isFinished } from '../../src/runs/run-row.ts'
import type { Run, RunOptions } from '../../src/runs/types.ts'
import { Daemon } from '../../src/sync/daemon.ts'
import { dropRetired } from '../../src/sync/retired-indices.ts'
import { eventually } from '../support/eventually.ts'
import { type Definitions, type InstallWorld, installWorld } from './install-world.ts'

const silent = pino({ level: 'silent' })

/** Documents that are installed and indexed, and what reindexes them. */
export interface ReindexWorld extends InstallWorld {
  settings(definitions: Definitions, instance: string): Settings
  /** A daemon with its runs. */
  instance(definitions: Definitions, instance?: string): Instance
  /** A daemon that executes no runs: the test does. */
  daemon(definitions: Definitions): Daemon
  context(instance: string): Promise<RunContext>
  request(document: string, options?: RunOptions): Promise<string>
  /** Resolves when a run has ended. */
  ended(id: string): Promise<Run>
  /** Resolves when the queue is empty and nothing is being retried. */
  drained(): Promise<void>
  /** Physical indices of a document by role, as the table has them. */
  roles(document: string): Promise<Readonly<Record<string, readonly string[]>>>
  /** Physical indices that there are, whoever made them. */
  indices(): Promise<readonly string[]>
  /** What the alias points to. */
  pointsTo(alias: string): Promise<readonly string[]>
  /** Resolves when the index has as many documents as the table has rows. */
  indexed(table: string, index: string): Promise<void>
  /** What differs between a table and an index, by content: `missing 3`, `stale 4`, `extra 5`. */
  differences(table: string, index: string): Promise<readonly string[]>
  /** Drops what is retired, as a daemon does every few seconds. */
  dropRetired(): Promise<readonly string[]>
  stop(): Promise<void>
}

export async function reindexWorld(): Promise<ReindexWorld> {
  const world = await installWorld()
  const { database, server, elasticsearch, schema } = world
  const { pool } = database
  const running = new Set<{ stop(): Promise<void> }>()
  const settings = (definitions: Definitions, instance: string): Settings => ({
    postgres: database.url,
    elasticsearch: { url: server.url },
    schema,
    instance,
    logLevel: 'silent',
    limits: {
      batchSize: 100,
      batchBytes: 1024 * 1024,
      concurrency: 2,
      pollingInterval: 20,
      maxRetries: 2,
      requestTimeout: 10_000,
      shutdownTimeout: 10_000,
      syncLogRetentionDays: 7,
    },
    documents: new Map<string, DocumentDefinition>(Object.entries(definitions)),
    file: 'sluice.config.ts',
  })
  const value = world.value
  return {
    ...world,
    settings,
    instance: (definitions, name = 'a') => {
      const started = new Instance({ settings: settings(definitions, name), log: silent })
      started.start()
      running.add(started)
      return started
    },
    daemon: (definitions) => {
      const own = settings(definitions, 'batches')
      const started = new Daemon({ settings: own, pool, elasticsearch, log: silent })
      started.start()
      running.add(started)
      return started
    },
    context: async (instance) => ({
      pool,
      schema,
      elasticsearch,
      plans: new Map((await readDocuments(pool, schema)).map(({ name, plan }) => [name, plan])),
      instance,
      log: silent,
    }),
    request: async (document, options = {}) => {
      const asked = { document, options, requestedBy: 'test' }
      const { id, existing } = await requestReindex({ pool, schema, elasticsearch }, asked)
      if (existing) throw new Error(`run ${id} is under way`)
      return id
    },
    ended: (id) =>
      eventually(
        async () => {
          const run = await readRun(pool, schema, id)
          return run !== null && isFinished(run) ? run : null
        },
        { timeoutMs: 60_000, describe: () => readRun(pool, schema, id) },
      ),
    indexed: (table, index) =>
      eventually(
        async () => {
          await elasticsearch.refresh(index)
          if ((await elasticsearch.count(index)) !== (await value(`SELECT count(*)::int FROM ${table}`)))
            throw new Error('not all')
        },
        {
          timeoutMs: 60_000,
          describe: async () => [
            (await pool.query(`SELECT * FROM ${schema}.sync_run`)).rows,
            (await pool.query(`SELECT * FROM ${schema}.sync_worker`)).rows,
            (await pool.query(`SELECT * FROM ${schema}.sync_failed LIMIT 2`)).rows,
          ],
        },
      ),
    drained: async () => {
      await eventually(
        async () => {
          const pending = await value(`SELECT count(*)::int FROM ${schema}.sync_queue`)
          const retrying = await value(
            `SELECT count(*)::int FROM ${schema}.sync_failed WHERE state = 'retrying'`,
          )
          return pending === 0 && retrying === 0
        },
        {
          timeoutMs: 60_000,
          describe: async () => (await pool.query(`SELECT * FROM ${schema}.sync_queue LIMIT 5`)).rows,
        },
      )
    },
    roles: async (document) => {
      const { rows } = await pool.query<{ role: string; names: string[] }>(
        `SELECT role, array_agg(name ORDER BY alias) AS names FROM ${schema}.sync_index
          WHERE document = $1 GROUP BY role`,
        [document],
      )
      return Object.fromEntries(rows.map(({ role, names }) => [role, names]))
    },
    indices: async () => {
      const all = (await server.request('GET', `/${server.prefix}*`)) as Record<string, unknown>
      return Object.keys(all).sort()
    },
    pointsTo: async (alias) => (await elasticsearch.aliasTargets(alias)).indices,
    differences: async (table, index) => {
      await elasticsearch.refresh(index)
      const answer = (await server.request('POST', `/${index}/_search`, { size: 10_000 })) as {
        hits: { hits: { _id: string; _source: unknown }[] }
      }
      const found = new Map(answer.hits.hits.map(({ _id, _source }) => [_id, JSON.stringify(_source)]))
      const { rows } = await pool.query<{ id: string; row: unknown }>(
        `SELECT id::text, to_json(t) AS row FROM ${table} t`,
      )
      const different = rows.flatMap(({ id, row }) => {
        const there = found.get(id)
        found.delete(id)
        if (there === undefined) return [`missing ${id}`]
        return there === JSON.stringify(row) ? [] : [`stale ${id}`]
      })
      return [...different, ...[...found.keys()].map((id) => `extra ${id}`)]
    },
    dropRetired: () => dropRetired({ pool, schema, elasticsearch, log: silent }),
    stop: async () => {
      await Promise.all([...running].map((one) => one.stop()))
      running.clear()
    },
    drop: async () => {
      await Promise.all([...running].map((one) => one.stop()))
      await world.drop()
    },
  }
}
