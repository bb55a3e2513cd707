import { escapeIdentifier, escapeLiteral } from 'pg'
import type { Queryable, Version } from './types.ts'

/** Timeline of the server: eight hexadecimal digits. Right at once after a promotion, unprivileged; raises on a replica. */
export const timelineSql = 'left(pg_walfile_name(pg_current_wal_lsn()), 8)'

/**
 * Which server answers: its timeline, and when its process was started. The timeline alone does not tell a database from
 * its cold copy, nor from a restored dump (both begin at 1); the start does, to the microsecond, and stays the same
 * through a promotion. Unprivileged, no file is read; the same text whatever the session's time zone.
 */
export const serverSql = `(${timelineSql} || '@' || extract(epoch FROM pg_postmaster_start_time()))`

/**
 * Draws a version, durable before this returns (invariant 4): in a transaction of its own, one statement, one round
 * trip, and 0.3 ms where a disk flush is fast.
 *
 * A sequence alone is not durable: nextval writes WAL once in 32 numbers, and unless this very call wrote it the commit
 * has nothing to flush. The message gives the transaction a WAL record of its own, so its commit is flushed, and with
 * it the sequence's record, which lies before it, whoever wrote that. `synchronous_commit` is raised for this
 * transaction only. Logical consumers (Debezium, wal2json) see an empty message with the prefix "sluice".
 *
 * The statement must be alone: inside an open transaction nothing would be flushed. `now()` is then older than the
 * statement, and the draw is refused.
 */
export async function drawVersion(client: Queryable, schema: string): Promise<Version> {
  const { rows } = await client.query<{ version: string; server: string; alone: boolean }>(
    `SELECT set_config('synchronous_commit', 'on', true),
            nextval(${sequenceLiteral(schema)})::text AS version,
            pg_logical_emit_message(true, 'sluice', ''),
            ${serverSql} AS server,
            now() = statement_timestamp() AS alone`,
  )
  const [drawn] = rows
  if (drawn === undefined || !drawn.alone) {
    throw new Error('drawVersion was called inside a transaction: its version would not be durable')
  }
  return { version: BigInt(drawn.version), server: drawn.server }
}

/**
 * Moves the sequence up to the clock in microseconds, and to `atLeast` where that is more; never down. To be called for
 * each new connection to a server, and when the timeline changes. Returns the sequence's value. One round trip, 0.3 ms.
 *
 * Without the minute's grace of the first design: draws that an asynchronous replica had not received before it was
 * promoted may lie within that minute, and would be handed out again. The clock is above all of them (one batch draws
 * one number, so the sequence climbs far less than a million a second).
 */
export async function raiseVersionFloor(db: Queryable, schema: string, atLeast = 0n): Promise<bigint> {
  const { rows } = await db.query<{ floor: string }>(
    `SELECT ${escapeIdentifier(schema)}.raise_version_floor($1)::text AS floor`,
    [atLeast.toString()],
  )
  return BigInt(rows[0]?.floor ?? 0)
}

/** Last version drawn by anybody. */
export async function currentVersion(db: Queryable, schema: string): Promise<bigint> {
  const { rows } = await db.query<{ last_value: string }>(
    `SELECT last_value::text FROM ${escapeIdentifier(schema)}.sync_version`,
  )
  return BigInt(rows[0]?.last_value ?? 0)
}

function sequenceLiteral(schema: string): string {
  return `${escapeLiteral(`${escapeIdentifier(schema)}.sync_version`)}::regclass`
}
