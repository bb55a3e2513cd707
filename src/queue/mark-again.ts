import { escapeIdentifier } from 'pg'
import type { Queryable } from '../postgres/types.ts'
import type { BatchKey, Lane } from './types.ts'

interface GivenBack {
  readonly document: string
  readonly lane: Lane
  readonly keys: readonly BatchKey[]
}

/**
 * Marks keys again that a claim could not finish, uncharged. Op, origin, target and run are inherited, and so is the age:
 * now() is the moment of the claim. Array marks of up to 500 keys.
 */
export async function markAgain(
  db: Queryable,
  schema: string,
  { document, lane, keys }: GivenBack,
): Promise<void> {
  if (keys.length === 0) return
  await db.query(
    `INSERT INTO ${escapeIdentifier(schema)}.sync_queue (document, lane, keys, op, origin, target, run_id, created_at)
     SELECT $1, $2, array_agg(g.key ORDER BY g.n), g.op, g.origin, g.target, g.run_id,
            now() - make_interval(secs => max(g.age_ms) / 1000)
       FROM (SELECT k.*, (row_number() OVER (PARTITION BY k.op, k.origin, k.target, k.run_id ORDER BY k.n) - 1) / 500 AS chunk
               FROM unnest($3::text[], $4::xid8[], $5::text[], $6::bigint[], $7::float8[], $8::text[])
                    WITH ORDINALITY AS k (key, origin, target, run_id, age_ms, op, n)) g
      GROUP BY g.op, g.origin, g.target, g.run_id, g.chunk
      ORDER BY min(g.n)`,
    [
      document,
      lane,
      keys.map(({ key }) => key),
      keys.map(({ origin }) => origin),
      keys.map(({ target }) => target),
      keys.map(({ runId }) => runId),
      keys.map(({ ageMs }) => ageMs),
      keys.map(({ op }) => op),
    ],
  )
}
