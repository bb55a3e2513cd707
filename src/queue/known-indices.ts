import { escapeIdentifier } from 'pg'
import type { Queryable } from '../postgres/types.ts'

/** A registered index, as far as its name goes. */
export interface KnownIndex {
  readonly name: string
  readonly alias: string
  readonly role: 'live' | 'kept' | 'building' | 'retired'
}

/** All indices of a document that the database knows, those to be dropped among them. */
export async function readKnownIndices(
  db: Queryable,
  schema: string,
  document: string,
): Promise<readonly KnownIndex[]> {
  const { rows } = await db.query<KnownIndex>(
    `SELECT name, alias, role FROM ${escapeIdentifier(schema)}.sync_index WHERE document = $1 ORDER BY name`,
    [document],
  )
  return rows
}

/** Indices of any document that have this name, or whose alias has it. */
export async function indicesNamed(
  db: Queryable,
  schema: string,
  name: string,
): Promise<readonly (KnownIndex & { readonly document: string })[]> {
  const { rows } = await db.query<KnownIndex & { readonly document: string }>(
    `SELECT name, alias, role, document FROM ${escapeIdentifier(schema)}.sync_index WHERE name = $1 OR alias = $1 ORDER BY name`,
    [name],
  )
  return rows
}

/**
 * Puts an index that is there and that an alias points to in the place of what is registered as live for it: kept for a day
 * where it is there (`present`), given up where it is gone. Of an alias one index is kept. Call it with what makes an index
 * of this alias locked out.
 */
export async function replaceLive(
  db: Queryable,
  schema: string,
  {
    document,
    alias,
    index,
    present,
  }: {
    readonly document: string
    readonly alias: string
    readonly index: string
    readonly present: readonly string[]
  },
): Promise<void> {
  await db.query(
    `UPDATE ${escapeIdentifier(schema)}.sync_index
        SET role = CASE WHEN stays THEN 'kept' ELSE 'retired' END,
            drop_at = CASE WHEN stays THEN clock_timestamp() + interval '1 day' END,
            retired_at = CASE WHEN stays THEN NULL ELSE clock_timestamp() END
       FROM (SELECT name AS stated, role = 'live' AND name = ANY ($3) AS stays
               FROM ${escapeIdentifier(schema)}.sync_index
              WHERE document = $1 AND alias = $2 AND role IN ('live', 'kept')) s
      WHERE name = s.stated`,
    [document, alias, present],
  )
  // Given up by a run that in truth had moved the alias to it: registered anew.
  await db.query(
    `DELETE FROM ${escapeIdentifier(schema)}.sync_index WHERE document = $1 AND name = $2 AND role = 'retired'`,
    [document, index],
  )
}
