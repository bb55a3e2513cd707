import { escapeIdentifier } from 'pg'
import type { Queryable } from '../postgres/types.ts'

/** Numbers that sync_version has skipped and that nobody has drawn, as far as a document was not told of them yet. */
export async function readSkippedVersions(
  db: Queryable,
  schema: string,
  document: string,
): Promise<readonly { readonly first: bigint; readonly last: bigint }[]> {
  const s = escapeIdentifier(schema)
  const { rows } = await db.query<{ first: string; last: string }>(
    `SELECT lower(r)::text AS first, (upper(r) - 1)::text AS last
       FROM ${s}.sync_document d, ${s}.sync_identity i,
            unnest(i.skipped * int8multirange(int8range(d.foreign_version, NULL, '()'))) AS r
      WHERE d.name = $1`,
    [document],
  )
  return rows.map(({ first, last }) => ({ first: BigInt(first), last: BigInt(last) }))
}

/** Notes a version in an index that this database has never drawn. False when it was known, or another daemon was first. */
export async function noteForeignVersion(
  db: Queryable,
  schema: string,
  document: string,
  version: bigint,
): Promise<boolean> {
  const { rowCount } = await db.query(
    `UPDATE ${escapeIdentifier(schema)}.sync_document SET foreign_version = $2
      WHERE name = $1 AND foreign_version < $2`,
    [document, version.toString()],
  )
  return rowCount === 1
}
