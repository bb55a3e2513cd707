import { escapeIdentifier } from 'pg'
import type { Queryable } from '../postgres/types.ts'

type Checkpoints = readonly (number | null)[]

/** What we last saw of a document's indices, by name. */
export async function readCheckpoints(
  db: Queryable,
  schema: string,
  document: string,
): Promise<ReadonlyMap<string, Checkpoints>> {
  const { rows } = await db.query<{ name: string; checkpoints: readonly (string | null)[] }>(
    `SELECT name, checkpoints FROM ${escapeIdentifier(schema)}.sync_index WHERE document = $1 AND role <> 'retired'`,
    [document],
  )
  return new Map(
    rows.map(({ name, checkpoints }) => [
      name,
      checkpoints.map((one) => (one === null ? null : Number(one))),
    ]),
  )
}

/** Notes what we saw now. False where nothing was seen before with another result: another daemon was first. */
export async function noteCheckpoints(
  db: Queryable,
  schema: string,
  { index, before, now }: { readonly index: string; readonly before: Checkpoints; readonly now: Checkpoints },
): Promise<boolean> {
  const { rowCount } = await db.query(
    `UPDATE ${escapeIdentifier(schema)}.sync_index SET checkpoints = $3::bigint[]
      WHERE name = $1 AND checkpoints = $2::bigint[]`,
    [index, before, now],
  )
  return rowCount === 1
}
