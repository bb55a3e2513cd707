import { escapeIdentifier } from 'pg'
import { UnreachableError } from '../errors.ts'
import { addressOf } from './connect.ts'
import type { Identity, Queryable } from './types.ts'
import { serverSql, timelineSql } from './version.ts'

/** Which server this is. Needs no privilege; raises on a replica. */
export async function readIdentity(db: Queryable): Promise<Identity> {
  const { rows } = await db.query<{ system_identifier: string; timeline: string; server: string }>(
    `SELECT system_identifier::text, ${timelineSql} AS timeline, ${serverSql} AS server FROM pg_control_system()`,
  )
  const [row] = rows
  if (row === undefined) throw new Error('pg_control_system() returned no row')
  return { systemIdentifier: row.system_identifier, timeline: row.timeline, server: row.server }
}

/** Throws an UnreachableError for a server that takes no writes: a standby, or one that is read-only for every session. */
export async function assertPrimary(db: Queryable, url: string): Promise<void> {
  const { rows } = await db.query<{ standby: boolean; read_only: boolean }>(
    "SELECT pg_is_in_recovery() AS standby, current_setting('transaction_read_only')::boolean AS read_only",
  )
  const where = addressOf(url)
  if (rows[0]?.standby === true) {
    throw new UnreachableError('Postgres is a standby there, which takes no writes', {
      where,
      remedy: 'Promote it, or have DATABASE_URL lead to the primary.',
    })
  }
  if (rows[0]?.read_only === true) {
    throw new UnreachableError('Postgres takes no writes there: sessions are read-only', {
      where,
      remedy: 'Look at default_transaction_read_only of the server, the database and the role.',
    })
  }
}

/** What the indices of a database are signed with: system identifier and name. */
export async function readDatabaseName(db: Queryable): Promise<string> {
  const { rows } = await db.query<{ name: string }>(
    `SELECT ${databaseSql} AS name FROM pg_control_system() c`,
  )
  const [row] = rows
  if (row === undefined) throw new Error('pg_control_system() returned no row')
  return row.name
}

const databaseSql = "c.system_identifier || '/' || current_database()"

/** The same, as it was before this database was restored elsewhere or renamed, as far as a daemon has worked on it. */
export async function readFormerNames(db: Queryable, schema: string): Promise<readonly string[]> {
  const { rows } = await db.query<{ name: string }>(
    `SELECT n.name FROM ${escapeIdentifier(schema)}.sync_identity i, unnest(i.known_as) AS n (name), pg_control_system() c
      WHERE n.name <> ${databaseSql}`,
  )
  return rows.map(({ name }) => name)
}

/**
 * Compares the server with the one last worked on, and remembers it. `changed` (failover, restore, copy) must queue a
 * verify of every document (invariant 5): in the same transaction, or a crash in between forgets it. So does another name
 * of the database: it may be a copy within its cluster.
 */
export async function rememberIdentity(db: Queryable, schema: string): Promise<'same' | 'first' | 'changed'> {
  const { systemIdentifier, timeline } = await readIdentity(db)
  const { rows } = await db.query<{ inserted: boolean }>(
    // Of several daemons only one changes the row: the others wait for its commit and find it equal.
    `INSERT INTO ${escapeIdentifier(schema)}.sync_identity AS known (system_identifier, timeline, known_as)
     VALUES ($1, $2, ARRAY[$1 || '/' || current_database()])
     ON CONFLICT (only_row) DO UPDATE
       SET system_identifier = excluded.system_identifier, timeline = excluded.timeline, changed_at = clock_timestamp(),
           known_as = CASE WHEN known.known_as @> excluded.known_as THEN known.known_as
                           ELSE known.known_as || excluded.known_as END
       WHERE (known.system_identifier, known.timeline) <> (excluded.system_identifier, excluded.timeline)
          OR NOT known.known_as @> excluded.known_as
     RETURNING xmax = 0 AS inserted`,
    [systemIdentifier, timeline],
  )
  const [written] = rows
  if (written === undefined) return 'same'
  return written.inserted ? 'first' : 'changed'
}
