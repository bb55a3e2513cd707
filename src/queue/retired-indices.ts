import { escapeIdentifier, type Pool } from 'pg'
import { inTransaction } from '../postgres/transaction.ts'
import type { Queryable } from '../postgres/types.ts'
import { lockFailures } from './lock-failures.ts'

/** An index that no batch writes to any more, and that is to be dropped. */
export interface RetiredIndex {
  readonly document: string
  readonly index: string
  readonly alias: string
}

/** Retires kept indices whose time is over: batches that claim from now on do not write to them. Returns all that are retired. */
export async function retireKept(db: Queryable, schema: string): Promise<readonly RetiredIndex[]> {
  const s = escapeIdentifier(schema)
  // One statement: the second part does not see what the first one changes.
  const { rows } = await db.query<RetiredIndex>(
    `WITH over AS (
       UPDATE ${s}.sync_index SET role = 'retired', retired_at = clock_timestamp(), drop_at = NULL
        WHERE role = 'kept' AND drop_at <= clock_timestamp()
       RETURNING document, name, alias, retired_at
     )
     SELECT document, name AS index, alias
       FROM (TABLE over UNION ALL
             SELECT document, name, alias, retired_at FROM ${s}.sync_index WHERE role = 'retired') AS retired
      ORDER BY retired_at, name`,
  )
  return rows
}

/**
 * Forgets an index that was dropped, with its failures: they were its own. One that was given up while it was being created
 * (no UUID) is remembered for ten minutes more, and dropped again: the creation may be carried out late.
 */
export async function forgetIndex(
  pool: Pool,
  schema: string,
  { document, index }: RetiredIndex,
): Promise<void> {
  const s = escapeIdentifier(schema)
  await inTransaction(pool, async (client) => {
    await lockFailures(client, schema, document, 'exclusive')
    await client.query(`DELETE FROM ${s}.sync_failed WHERE document = $1 AND target = $2`, [document, index])
    await client.query(
      `DELETE FROM ${s}.sync_index
        WHERE name = $1 AND role = 'retired' AND (uuid <> '' OR retired_at < clock_timestamp() - interval '10 minutes')`,
      [index],
    )
  })
}
