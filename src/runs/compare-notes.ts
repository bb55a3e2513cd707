import { escapeIdentifier } from 'pg'
import type { Queryable } from '../postgres/types.ts'
import type { Difference } from './comparison.ts'

/** Adds to differences why they differ, where the queue and the failures say it. */
export async function explained(
  db: Queryable,
  schema: string,
  document: string,
  differences: readonly Difference[],
): Promise<readonly Difference[]> {
  const keys = differences.flatMap(({ key }) => key ?? [])
  if (keys.length === 0) return differences
  const dead = await deadNotes(db, schema, document, keys)
  const parked = await parkedNotes(db, schema, document, keys)
  return differences.map((difference) => {
    const { key } = difference
    if (key === null) return difference
    const note = dead.get(key) ?? parked.get(key) ?? difference.note
    return note === undefined ? difference : { ...difference, note }
  })
}

async function deadNotes(
  db: Queryable,
  schema: string,
  document: string,
  keys: readonly string[],
): Promise<ReadonlyMap<string, string>> {
  const { rows } = await db.query<{ key: string; type: string; reason: string }>(
    `SELECT key, type, reason FROM ${escapeIdentifier(schema)}.sync_failed
      WHERE document = $1 AND key = ANY ($2) AND state = 'dead' ORDER BY key, target`,
    [document, keys],
  )
  return new Map(rows.map(({ key, type, reason }) => [key, `it is a dead letter: ${type}: ${reason}`]))
}

/** Reads all parked marks of the document, once a comparison. */
async function parkedNotes(
  db: Queryable,
  schema: string,
  document: string,
  keys: readonly string[],
): Promise<ReadonlyMap<string, string>> {
  const { rows } = await db.query<{ key: string; target: string | null }>(
    `SELECT k.key, m.target
       FROM ${escapeIdentifier(schema)}.sync_queue m CROSS JOIN LATERAL unnest(m.keys) AS k (key)
      WHERE m.document = $1 AND m.lane = 2 AND m.keys && $2::text[] AND k.key = ANY ($2)`,
    [document, keys],
  )
  return new Map(
    rows.map(({ key, target }) => [
      key,
      target === null
        ? `the mass-delete brake holds its delete back: sluice resume ${document} --deletes confirms it`
        : `it waits for ${target}, which takes no writes`,
    ]),
  )
}
