import type { DocumentDefinition } from '../../src/config/types.ts'
import { operationsOf } from '../support/bulk-body.ts'
import { type Cell, usual } from './cell.ts'
import { type BulkExchange, startObserver } from './observer.ts'
import { MAX_CONTENT, type Poison, poisons } from './poison-ways.ts'
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

/** One document in a thousand that cannot be indexed: all others are, it is dead, and few requests were needed. */
export const poison: Cell = {
  name: 'poison',
  about:
    'One poison document among --rows, each way of being poison: the others indexed, one dead, few bulk requests.',
  defaults: { ...usual, rounds: 1, rows: 1_000 },
  counted: true,
  figures: Object.fromEntries(poisons.map(({ name }) => [name, { of: 'value', atMost: 21 }])),
  world: { documents: definitions, elasticsearch: { 'http.max_content_length': MAX_CONTENT } },
  async *measure(world, { rounds, rows }) {
    let seen: BulkExchange[] = []
    const observer = await startObserver(world.elasticsearchUrl, (exchange) => seen.push(exchange))
    try {
      for (const one of poisons) await createTable(world, one, rows)
      await world.sluice('install', '--no-backfill')
      for (let round = 1; round <= rounds; round++) {
        for (const one of poisons) {
          seen = []
          await markAll(world, one)
          const daemon = await world.startDaemon({ elasticsearchUrl: observer.url })
          const outcome = await settled(world, one)
          await daemon.stop()
          const ofIts = seen.filter(({ body }) => {
            const [first] = operationsOf(body)
            return first?.index.startsWith(indexOf(one)) ?? false
          })
          check(one, outcome, rows)
          const { indexed, dead, type } = outcome
          yield {
            round,
            case: one.name,
            value: ofIts.length,
            unit: 'bulk requests',
            details: { indexed, dead, type },
          }
          if (round < rounds) await world.reinstall(one.document)
        }
      }
    } finally {
      await observer.close()
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
  await emptied(world)
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

function check(one: Poison, outcome: Outcome, rows: number): void {
  if (outcome.indexed === rows - 1 && outcome.dead === 1 && outcome.retrying === 0) return
  throw new Error(`${one.name}: ${JSON.stringify(outcome)}, expected ${rows - 1} indexed and 1 dead`)
}
