import { escapeIdentifier } from 'pg'
import type { Queryable } from '../postgres/types.ts'

interface SucceededBatch {
  readonly document: string
  readonly version: bigint
  /** Keys by physical index. */
  readonly succeeded: ReadonlyMap<string, readonly string[]>
}

/**
 * A key that an index took has not failed there, and could be read. Rows of newer versions stay: that outcome is later
 * (invariant 8). Rides the primary key, or joins the whole table where it is small; 3 ms for 1,000 keys.
 */
export async function eraseFailures(
  db: Queryable,
  schema: string,
  { document, version, succeeded }: SucceededBatch,
): Promise<void> {
  const targets: string[] = []
  const keys: string[] = []
  for (const [target, some] of succeeded) {
    for (const key of some) {
      targets.push(target)
      keys.push(key)
    }
  }
  if (keys.length === 0) return
  await db.query(
    `DELETE FROM ${escapeIdentifier(schema)}.sync_failed f
      USING unnest($3::text[], $4::text[]) AS done (key, target)
      WHERE f.document = $1 AND f.version <= $2::bigint AND f.key = done.key AND f.target IN (done.target, '')`,
    [document, version.toString(), keys, targets],
  )
}
