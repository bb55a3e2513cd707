import { escapeIdentifier } from 'pg'
import type { Queryable } from '../postgres/types.ts'

/** What was seen of an index' primary shards, by their numbers. */
export type SeenShards = Readonly<Record<string, { readonly history: string; readonly checkpoint: number }>>

/** What was last seen of a document's indices, by name. */
export async function readShards(
  db: Queryable,
  schema: string,
  document: string,
): Promise<ReadonlyMap<string, SeenShards>> {
  const { rows } = await db.query<{ name: string; shards: SeenShards }>(
    `SELECT name, shards FROM ${escapeIdentifier(schema)}.sync_index WHERE document = $1 AND role <> 'retired'`,
    [document],
  )
  return new Map(rows.map(({ name, shards }) => [name, shards]))
}

/** Notes what is seen now. False when another daemon was first. */
export async function noteShards(
  db: Queryable,
  schema: string,
  { index, before, now }: { readonly index: string; readonly before: SeenShards; readonly now: SeenShards },
): Promise<boolean> {
  const { rowCount } = await db.query(
    `UPDATE ${escapeIdentifier(schema)}.sync_index SET shards = $3::jsonb WHERE name = $1 AND shards = $2::jsonb`,
    [index, JSON.stringify(before), JSON.stringify(now)],
  )
  return rowCount === 1
}
