import { escapeIdentifier, type PoolClient } from 'pg'
import { quoteIdentifier, quoteTable } from '../../catalog/quote.ts'
import type { DocumentKey, DocumentPlan } from '../../documents/types.ts'
import { FailedError } from '../../errors.ts'
import { sqlState } from '../../postgres/connect.ts'
import { commit, rollback, setLocal } from '../../postgres/transaction.ts'
import type { Database } from '../context.ts'

/** The mark that is watched. */
export interface ProbeMark {
  readonly id: string
  readonly lane: number
}

export interface Written {
  /** Null: an UPDATE wrote none where it should have; it was rolled back. */
  readonly mark: ProbeMark | null
  readonly by: 'trigger' | 'enqueue'
  readonly notes: readonly string[]
  /** Version that was drawn last before the mark was committed: whoever claims the mark draws a higher one. */
  readonly drawn: string
  /** What the UPDATE or the call took, and the COMMIT. What it took to find the mark is ours, and in neither. */
  readonly writtenMs: number
  readonly commitMs: number
  /** By performance.now(). */
  readonly committedAt: number
}

/** A row that somebody holds is not waited for: whoever holds it would have us in their queue of locks. */
const lockTimeout = '2s'

/** Writes a mark of one key and commits it: by our function, or with `touch` by an UPDATE of its row that changes nothing. */
export async function writeMark(
  { pool, schema }: Database,
  plan: DocumentPlan,
  key: DocumentKey,
  touch: boolean,
): Promise<Written> {
  const s = escapeIdentifier(schema)
  const client = await pool.connect()
  let clean = false
  try {
    const update = touch ? await updateOf(client, plan, key) : null
    await client.query(`BEGIN; ${setLocal(['lock_timeout', lockTimeout])}; ${setLocal(['timezone', 'UTC'])}`)
    let written = await timed(() => (update === null ? Promise.resolve(0) : touchRow(client, plan, update)))
    const touched = written.value
    const byTrigger = touched > 0 ? await readMark(client, s, plan.document, key.key) : null
    if (touched > 0 && byTrigger === null && !compares(plan)) {
      clean = await rollback(client)
      const none = { mark: null, by: 'trigger', notes: [], drawn: '0' } as const
      return { ...none, writtenMs: written.ms, commitMs: 0, committedAt: 0 }
    }
    if (byTrigger === null) {
      written = await timed(async () => {
        await client.query(`SELECT ${s}.enqueue($1, $2)`, [plan.document, key.key])
        return 0
      })
    }
    const mark = byTrigger ?? (await readMark(client, s, plan.document, key.key))
    const drawn = await lastVersion(client, s)
    const committed = await timed(() => commit(client))
    clean = true
    return {
      mark,
      by: byTrigger === null ? 'enqueue' : 'trigger',
      notes: byTrigger === null && touch ? [unmarked(touched)] : [],
      drawn,
      writtenMs: written.ms,
      commitMs: committed.ms,
      committedAt: performance.now(),
    }
  } catch (error) {
    clean = await rollback(client)
    throw error
  } finally {
    client.release(!clean)
  }
}

async function timed<T>(work: () => Promise<T>): Promise<{ readonly value: T; readonly ms: number }> {
  const begun = performance.now()
  const value = await work()
  return { value, ms: performance.now() - begun }
}

function unmarked(touched: number): string {
  return touched === 0
    ? 'the UPDATE was suppressed by a trigger or rule of yours, so sluice.enqueue wrote the mark: our triggers were not measured'
    : 'the document leaves columns out, so an UPDATE that changes nothing writes no mark; sluice.enqueue wrote it: our triggers were not measured'
}

/** Whether the root table's triggers compare rows before they mark. */
function compares({ sources }: DocumentPlan): boolean {
  return sources.some(({ source, compare }) => source === '' && compare)
}

interface Update {
  readonly text: string
  readonly values: readonly (string | null)[]
}

/**
 * The UPDATE that sets a column to what it is. Not one of the key, where there is another: that takes a stronger lock.
 * A column that Postgres fills itself cannot be set.
 */
async function updateOf(
  client: PoolClient,
  { table, key, idParts, columns }: DocumentPlan,
  { parts }: DocumentKey,
): Promise<Update> {
  const names = key.map(({ name }) => name)
  const { rows } = await client.query<{ name: string }>(
    `SELECT attname AS name FROM pg_attribute
      WHERE attrelid = $1::regclass AND attnum > 0 AND NOT attisdropped AND attidentity <> 'a' AND attgenerated = ''
      ORDER BY attname = ANY ($2::text[]), attname <> ALL ($3::text[]), attnum
      LIMIT 1`,
    [quoteTable(table), names, columns.used],
  )
  const column = rows[0]?.name
  if (column === undefined) {
    throw new FailedError('the table has no column that an UPDATE could set', {
      where: `${table.schema}.${table.name}`,
      remedy: 'Probe without --touch.',
    })
  }
  const id = key.slice(0, idParts)
  const matches = id.map(({ name, type }, n) => `${quoteIdentifier(name)} = $${n + 1}::${type}`)
  const quoted = quoteIdentifier(column)
  return {
    text: `UPDATE ${quoteTable(table)} SET ${quoted} = ${quoted} WHERE ${matches.join(' AND ')}`,
    values: parts.slice(0, idParts),
  }
}

async function touchRow(
  client: PoolClient,
  { table }: DocumentPlan,
  { text, values }: Update,
): Promise<number> {
  try {
    const { rowCount } = await client.query(text, [...values])
    return rowCount ?? 0
  } catch (error) {
    const state = sqlState(error)
    if (state === undefined || state === '42501') throw error
    throw new FailedError(
      `its row could not be touched: ${error instanceof Error ? error.message : String(error)}`,
      {
        where: `${table.schema}.${table.name}`,
        remedy: 'Probe without --touch, or with another row (--id).',
        cause: error,
      },
    )
  }
}

async function lastVersion(client: PoolClient, s: string): Promise<string> {
  const { rows } = await client.query<{ version: string }>(
    `SELECT last_value::text AS version FROM ${s}.sync_version`,
  )
  return rows[0]?.version ?? '0'
}

/** Our transaction's mark of the key. It is among the youngest of its lane: what others write is seen when they commit. */
async function readMark(
  client: PoolClient,
  s: string,
  document: string,
  key: string,
): Promise<ProbeMark | null> {
  const { rows } = await client.query<ProbeMark>(
    `SELECT m.id::text AS id, m.lane
       FROM (VALUES (0), (1)) AS l (lane)
      CROSS JOIN LATERAL (SELECT q.id, q.lane, q.origin, q.keys FROM ${s}.sync_queue q
                           WHERE q.document = $1 AND q.lane = l.lane ORDER BY q.id DESC LIMIT 1000) AS m
      WHERE m.origin = pg_current_xact_id() AND $2 = ANY (m.keys)
      LIMIT 1`,
    [document, key],
  )
  return rows[0] ?? null
}
