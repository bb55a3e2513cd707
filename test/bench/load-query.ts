import type pg from 'pg'
import { type Cell, usual } from './cell.ts'
import { median } from './statistics.ts'
import { nested } from './subject.ts'

/** Loads of each way in a round, interleaved: the median is the round's figure. */
const LOADS = 40

const sizes = [1, 100, 1_000] as const

const root = `s.id, s.seq, s.title, s.city, s.price, s.stock, s.active, s.published_at AT TIME ZONE 'UTC' AS published_at, s.body`
const author = 'a.id, a.name, a.city, a.country'
const reply = `r.id, r.place, r.likes, r.at AT TIME ZONE 'UTC' AS at, r.text`

/** Three ways to write the query that loads a root, its parent and its children, over an array of keys ($1). */
const ways: Readonly<Record<string, (loadSql: string) => string>> = {
  'subqueries in a view (ours)': (loadSql) => loadSql,
  'LATERAL with aggregation': () => `
    SELECT k.n, s.id::text AS key, row_to_json(o)::text AS document
      FROM unnest($1::text[]::bigint[]) WITH ORDINALITY AS k (id, n)
      JOIN story s ON s.id = k.id
      LEFT JOIN LATERAL (SELECT ${author} FROM author a WHERE a.id = s.author_id) author ON true
      LEFT JOIN LATERAL (
        SELECT coalesce(json_agg(c ORDER BY c.id), '[]') AS list
          FROM (SELECT ${reply} FROM reply r WHERE r.story_id = s.id) c) replies ON true
     CROSS JOIN LATERAL (SELECT ${root}, row_to_json(author) AS author, replies.list AS replies) o`,
  'grouped joins': () => `
    WITH k AS (SELECT * FROM unnest($1::text[]::bigint[]) WITH ORDINALITY AS k (id, n)),
    replies AS (
      SELECT c.story_id, json_agg(to_json(c)::jsonb - 'story_id' ORDER BY c.id) AS list
        FROM (SELECT r.story_id, ${reply} FROM k JOIN reply r ON r.story_id = k.id) c
       GROUP BY c.story_id)
    SELECT k.n, s.id::text AS key, row_to_json(o)::text AS document
      FROM k
      JOIN story s ON s.id = k.id
      LEFT JOIN author a ON a.id = s.author_id
      LEFT JOIN replies ON replies.story_id = s.id
     CROSS JOIN LATERAL (
       SELECT ${root}, CASE WHEN a.id IS NOT NULL THEN json_build_object('id', a.id, 'name', a.name, 'city', a.city, 'country', a.country) END AS author,
              coalesce(replies.list, '[]') AS replies) o`,
}

/** The choice of the load query, by numbers: the same documents, loaded in three ways. No daemon runs. */
export const loadQuery: Cell = {
  name: 'load-query',
  about: 'Loading 1, 100 and 1,000 nested documents of --rows by three queries: milliseconds, Node included.',
  defaults: usual,
  figures: {},
  world: { documents: { [nested.document]: nested.definition } },
  async *measure(world, { rounds, rows }, note) {
    await nested.fill(world, rows)
    await world.sluice('install', '--no-backfill')
    const { rows: plans } = await world.pool.query<{ sql: string }>(
      `SELECT plan ->> 'loadSql' AS sql FROM sluice.sync_document`,
    )
    const client = await world.pool.connect()
    try {
      for (let round = 0; round <= rounds; round++) {
        for (const size of sizes) {
          const times = new Map<string, number[]>(Object.keys(ways).map((name) => [name, []]))
          for (let load = 0; load < LOADS; load++) {
            const keys = Array.from({ length: size }, () => String(1 + Math.floor(Math.random() * rows)))
            for (const [name, write] of Object.entries(ways)) {
              times.get(name)?.push(await loadOnce(client, write(plans[0]?.sql ?? ''), keys))
            }
          }
          if (round === 0) continue
          for (const [name, list] of times) {
            yield { round, case: `${size} keys: ${name}`, value: median(list), unit: 'ms' }
          }
        }
        if (round === 0) note('warmed up')
      }
    } finally {
      client.release()
    }
  },
}

/** As the daemon does it: a statement without a name, rows as arrays. */
async function loadOnce(client: pg.PoolClient, text: string, keys: readonly string[]): Promise<number> {
  await client.query("BEGIN READ ONLY; SET LOCAL timezone = 'UTC'")
  const began = performance.now()
  const { rows } = await client.query({ text, values: [keys], rowMode: 'array' })
  const elapsed = performance.now() - began
  await client.query('COMMIT')
  if (rows.length !== keys.length) throw new Error(`${rows.length} documents of ${keys.length}`)
  return elapsed
}
