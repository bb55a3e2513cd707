import { setTimeout as delay } from 'node:timers/promises'
import type { DocumentDefinition } from '../../src/config/types.ts'
import { startFaultProxy } from '../support/fault-proxy.ts'
import { type Cell, usual } from './cell.ts'
import { CHOKING, MAX_CONTENT, type Poison, poisons, REQUEST_TIMEOUT } from './poison-ways.ts'
import { createWriter, seeded } from './prose.ts'
import { emptied } from './queue.ts'
import type { World } from './world.ts'

const indexOf = ({ document }: Poison): string => `bench-${document.replaceAll('_', '-')}`

const definitions: Readonly<Record<string, DocumentDefinition>> = Object.fromEntries(
  poisons.map((poison) => [
    poison.document,
    { table: poison.document, index: indexOf(poison), ...poison.definition },
  ]),
)

/**
 * One document in a thousand that cannot be indexed: all others are, it is dead, and few requests were needed. Counted is every
 * bulk request that leaves the daemon, answered or not, from the first mark to the dead letter: where there is no answer
 * that says what is wrong, the document is dead after MAX_RETRIES attempts, and each of them is a request.
 */
export const poison: Cell = {
  name: 'poison',
  about:
    'One poison document among --rows, each way of being poison: the others indexed, one dead, few bulk requests.',
  defaults: { ...usual, rounds: 1, rows: 1_000 },
  counted: true,
  figures: Object.fromEntries(poisons.map(({ name }) => [name, { of: 'value', atMost: 21 }])),
  world: { documents: definitions, elasticsearch: { 'http.max_content_length': MAX_CONTENT } },
  ownServers: 'it lowers http.max_content_length of Elasticsearch',
  async *measure(world, { rounds, rows }) {
    const proxy = await startFaultProxy(world.elasticsearchUrl)
    const bulks = () => proxy.seen.filter((request) => request === 'POST /_bulk').length
    try {
      for (const one of poisons) await createTable(world, one, rows)
      await world.sluice('install', '--no-backfill')
      for (let round = 1; round <= rounds; round++) {
        for (const one of poisons) {
          if (one.silence === undefined) proxy.heal()
          else proxy.breakWhere('/_bulk', CHOKING, one.silence)
          const before = bulks()
          await markAll(world, one)
          const env = one.silence?.kind === 'hang' ? { REQUEST_TIMEOUT } : {}
          const daemon = await world.startDaemon({ elasticsearchUrl: proxy.url, env })
          const outcome = await settled(world, one)
          await daemon.stop()
          check(one, outcome, rows)
          const { indexed, dead, type } = outcome
          yield {
            round,
            case: one.name,
            value: bulks() - before,
            unit: 'bulk requests',
            details: { indexed, dead, type },
          }
          if (round < rounds) await world.reinstall(one.document)
        }
      }
    } finally {
      await proxy.close()
    }
  },
}

async function createTable(
  { pool }: World,
  { document, id, columns, spoil }: Poison,
  rows: number,
): Promise<void> {
  const writer = await createWriter(seeded(7))
  const titles = Array.from({ length: rows }, () => writer.title())
  const bodies = Array.from({ length: rows }, () => writer.text(600))
  await pool.query(
    `CREATE TABLE ${document} (id ${id ?? 'bigint'} PRIMARY KEY, title text NOT NULL, body text NOT NULL, ${columns})`,
  )
  await pool.query(
    `INSERT INTO ${document} (id, title, body)
     SELECT n, t, b FROM unnest($1::text[], $2::text[]) WITH ORDINALITY AS x (t, b, n)`,
    [titles, bodies],
  )
  // In the middle, where halving takes longest to find it.
  await pool.query(`UPDATE ${document} SET ${spoil} WHERE id = $1`, [String(Math.floor(rows / 2) - 1)])
}

/** The keys as they are in the table: one of the ways spoils a key. */
async function markAll(world: World, { document }: Poison): Promise<void> {
  await world.pool.query(
    `INSERT INTO sluice.sync_queue (document, lane, keys, op)
     SELECT $1, 1, array_agg(id::text ORDER BY n), 'enqueue'
       FROM (SELECT id, row_number() OVER (ORDER BY title) AS n FROM ${document}) t GROUP BY (n - 1) / 500`,
    [document],
  )
}

interface Outcome {
  readonly indexed: number
  readonly dead: number
  readonly retrying: number
  readonly type: string
}

async function settled(world: World, one: Poison): Promise<Outcome> {
  await ended(world, one)
  await world.search('POST', `/${indexOf(one)}/_refresh`)
  const { count } = (await world.search('GET', `/${indexOf(one)}/_count`)) as { count: number }
  const { rows } = await world.pool.query<{ dead: number; retrying: number; type: string | null }>(
    `SELECT count(*) FILTER (WHERE state = 'dead')::integer AS dead,
            count(*) FILTER (WHERE state = 'retrying')::integer AS retrying, min(type) AS type
       FROM sluice.sync_failed WHERE document = $1`,
    [one.document],
  )
  return {
    indexed: count,
    dead: rows[0]?.dead ?? 0,
    retrying: rows[0]?.retrying ?? 0,
    type: rows[0]?.type ?? '',
  }
}

/** Resolves when nothing is left to do, retries included. */
async function ended(world: World, { document }: Poison): Promise<void> {
  const deadline = performance.now() + 600_000
  for (;;) {
    await emptied(world)
    const { rows } = await world.pool.query<{ retrying: number }>(
      `SELECT count(*)::integer AS retrying FROM sluice.sync_failed WHERE document = $1 AND state = 'retrying'`,
      [document],
    )
    if (rows[0]?.retrying === 0) return
    if (performance.now() > deadline) throw new Error(`${document}: still retried after ten minutes`)
    await delay(100)
  }
}

function check(one: Poison, outcome: Outcome, rows: number): void {
  if (outcome.indexed === rows - 1 && outcome.dead === 1 && outcome.retrying === 0) return
  throw new Error(`${one.name}: ${JSON.stringify(outcome)}, expected ${rows - 1} indexed and 1 dead`)
}
