import { escapeIdentifier, escapeLiteral, type PoolClient, type QueryResultRow } from 'pg'
import { allResults, rollback, setLocal } from '../postgres/transaction.ts'
import { serverSql } from '../postgres/version.ts'
import { takeClaimLock } from './claim-lock.ts'
import type { Claim, Lane, Mark, MarkOp } from './types.ts'

export interface ClaimRequest {
  readonly document: string
  readonly lane: Lane
  /** The id from which on marks are taken; default: the oldest. Before it there is none, as far as is known (QueueFronts). */
  readonly front?: bigint | undefined
  /** A trial: one mark of lane 2 that waits for this index, and no other. */
  readonly target?: string | undefined
  /** The claim ends before the mark that would exceed this; one mark (up to 500 keys) is always taken. */
  readonly maxKeys: number
  /** A stuck process is cut off, and its marks are free again, after idling this long in the claim. */
  readonly idleTimeoutMs: number
}

interface MarkRow extends QueryResultRow {
  readonly id: string
  readonly source: string
  readonly keys: string[] | null
  readonly op: MarkOp
  readonly origin: string
  readonly target: string | null
  readonly run_id: string | null
  readonly age_ms: number
}

interface ServerRow extends QueryResultRow {
  readonly server: string
}

/**
 * Opens the claim: a transaction that holds marks taken out of the queue until it is settled or given back
 * (invariant 9). Null when there is nothing to take; the transaction is closed then.
 *
 * One round trip of three statements in the simple protocol (PgBouncer keeps no prepared statements, so nothing is
 * lost by it). The lock is taken in a statement before the one that looks at the queue: a claim that is not among its
 * holders at a moment sees all marks committed before that moment. It says the server, too: said with each mark, it took
 * a microsecond of Postgres each time.
 *
 * `synchronous_commit = off`: the commit of a settled batch need not wait for the disk. If a crash undoes it, the marks
 * are there again with all it wrote undone, and the documents are indexed once more. Versions are drawn elsewhere.
 *
 * Rides the primary key (document, lane, id). Measured at one million marks of ten documents, Postgres 18, two shared
 * cores, rollback included, median:
 *
 *     1,000 marks of one key                     5.0 ms   (a plain LIMIT on marks, interleaved with it: 4.2 ms)
 *     the same behind 1,000 of another worker   10.3 ms   both claims together
 *     2 marks of 500 keys                        0.7 ms
 *     nothing there                              0.3 ms
 *
 * Bounding keys by a window function over a LIMIT took 5.4 ms for the two marks of 500 keys, and locked 1,000 marks
 * to take two. A cursor that locks mark after mark was as fast, but keeps one mark too many locked.
 */
export async function claimMarks(
  client: PoolClient,
  schema: string,
  { document, lane, front = 0n, target, maxKeys, idleTimeoutMs }: ClaimRequest,
): Promise<Claim | null> {
  const taking =
    target === undefined
      ? `claim(${escapeLiteral(document)}, ${Number(lane)}::smallint, ${Math.trunc(maxKeys)}, ${front})`
      : `try_target(${escapeLiteral(target)})`
  try {
    const results = allResults(
      await client.query<MarkRow | ServerRow>(
        `BEGIN;
         ${setLocal(['idle_in_transaction_session_timeout', String(Math.ceil(idleTimeoutMs))])};
         ${setLocal(['synchronous_commit', 'off'])};
         SELECT ${serverSql} AS server, ${takeClaimLock(schema)};
         SELECT id::text, source, keys, op, origin::text, target, run_id::text,
                date_part('epoch', clock_timestamp() - created_at) * 1000 AS age_ms
           FROM ${escapeIdentifier(schema)}.${taking} AS mark
          ORDER BY mark.id`,
      ),
    )
    const [locked, taken] = results.slice(-2)
    const [first] = (locked?.rows ?? []) as readonly ServerRow[]
    const rows = (taken?.rows ?? []) as readonly MarkRow[]
    if (first === undefined || rows.length === 0) {
      await client.query('ROLLBACK')
      return null
    }
    return { document, lane, marks: rows.map(markOf), server: first.server }
  } catch (error) {
    await rollback(client)
    throw error
  }
}

function markOf(row: MarkRow): Mark {
  return {
    id: row.id,
    source: row.source,
    keys: row.keys,
    op: row.op,
    origin: row.origin,
    target: row.target,
    runId: row.run_id,
    ageMs: Math.max(0, row.age_ms),
  }
}
