import { pino } from 'pino'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { tenantAlias } from '../../src/config/tenant-index.ts'
import type { DocumentDefinition, Settings } from '../../src/config/types.ts'
import { readTargets } from '../../src/queue/read-targets.ts'
import { Instance } from '../../src/runs/instance.ts'
import { eventually } from '../support/context.ts'
import { type InstallWorld, installWorld } from './install-world.ts'

/** Triggers, two daemons and Elasticsearch as they are shipped: rows move between tenants and shards, and are deleted. */

let world: InstallWorld
let daemons: readonly Instance[] = []
let definition: DocumentDefinition

const ROWS = 150
const TENANTS = ['a', 'b', 'A', '', null]
const ROUTES = ['r', 's', null]

beforeAll(async () => {
  world = await installWorld('Sluice addresses')
  await world.database.pool.query(
    'CREATE TABLE item (id integer PRIMARY KEY, name text, tenant text, route text)',
  )
  definition = {
    table: 'item',
    index: `${world.server.prefix}item-{tenant}`,
    tenant: 'tenant',
    routing: 'route',
    settings: { number_of_shards: 3, number_of_replicas: 0 },
    transform: async (document) => ({ ...document, name: `${document.name}!` }),
  }
  await world.install({ item: definition })
  daemons = [start('one'), start('two')]
})
afterAll(async () => {
  await Promise.all(daemons.map((daemon) => daemon.stop()))
  await world?.drop()
})

function start(instance: string): Instance {
  const settings: Settings = {
    postgres: world.database.url,
    elasticsearch: { url: world.server.url },
    schema: world.schema,
    instance,
    logLevel: 'info',
    limits: {
      batchSize: 20,
      batchBytes: 1024 * 1024,
      concurrency: 2,
      pollingInterval: 20,
      maxRetries: 5,
      requestTimeout: 20_000,
      shutdownTimeout: 10_000,
      syncLogRetentionDays: 7,
    },
    documents: new Map([['item', definition]]),
    file: 'sluice.config.ts',
  }
  const daemon = new Instance({ settings, log: pino({ level: 'silent' }) })
  daemon.start()
  return daemon
}

/** A row of mulberry32: the same moves in every run. */
function random(seed: number): () => number {
  let state = seed
  return () => {
    state = (state + 0x6d2b79f5) | 0
    let t = Math.imul(state ^ (state >>> 15), 1 | state)
    t = (t + Math.imul(t ^ (t >>> 7), 61 | t)) ^ t
    return ((t ^ (t >>> 14)) >>> 0) / 2 ** 32
  }
}

/** Where each row's document has to be, and where documents are: `id alias routing name`. */
async function wanted(): Promise<string[]> {
  const { rows } = await world.database.pool.query<{
    id: number
    name: string
    tenant: string
    route: string
  }>('SELECT id, name, tenant, route FROM item')
  return rows
    .map(({ id, name, tenant, route }) =>
      [id, tenantAlias(definition.index, tenant), route, `${name}!`].join(' '),
    )
    .sort()
}

async function indexed(): Promise<string[]> {
  const found: string[] = []
  for (const { index, alias } of await readTargets(world.database.pool, world.schema, 'item')) {
    await world.elasticsearch.refresh(index)
    for await (const page of world.elasticsearch.listDocuments(index)) {
      for (const { id, routing } of page) {
        const { source } = await world.elasticsearch.get(index, id, routing)
        found.push([id, alias, routing, (source as { name: string }).name].join(' '))
      }
    }
  }
  return found.sort()
}

test('every row has one document, where its tenant and routing say, and no other is left', async () => {
  const { pool } = world.database
  const chance = random(7)
  const pick = <T>(items: readonly T[]): T | undefined => items[Math.floor(chance() * items.length)]
  await pool.query(`INSERT INTO item SELECT n, 'row ' || n, 'a', 'r' FROM generate_series(1, ${ROWS}) n`)
  for (let step = 0; step < 200; step++) {
    const id = 1 + Math.floor(chance() * ROWS)
    const kind = chance()
    const to = [pick(TENANTS), pick(ROUTES)]
    if (kind < 0.1) await pool.query('DELETE FROM item WHERE id = $1', [id])
    else if (kind < 0.2) await pool.query('UPDATE item SET tenant = $2 WHERE id % 10 = $1', [id % 10, to[0]])
    else if (kind < 0.3) await pool.query('UPDATE item SET route = $2 WHERE id % 10 = $1', [id % 10, to[1]])
    else {
      await pool.query(
        `INSERT INTO item VALUES ($1, $2, $3, $4)
         ON CONFLICT (id) DO UPDATE SET name = excluded.name, tenant = excluded.tenant, route = excluded.route`,
        [id, `step ${step}`, ...to],
      )
    }
  }
  await eventually(
    async () => (await world.value('SELECT count(*) FROM "Sluice addresses".sync_queue')) === '0',
  )
  await eventually(async () => JSON.stringify(await indexed()) === JSON.stringify(await wanted()))
  expect(await indexed()).toEqual(await wanted())
  expect(await world.value('SELECT count(*) FROM "Sluice addresses".sync_failed')).toBe('0')
})
