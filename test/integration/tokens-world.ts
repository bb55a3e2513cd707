import type pg from 'pg'
import { claimMarks } from '../../src/queue/claim-marks.ts'
import { enqueueKeys, type KeysToMark } from '../../src/queue/enqueue-keys.ts'
import { giveBack } from '../../src/queue/give-back.ts'
import { settleBatch } from '../../src/queue/settle-batch.ts'
import { isSynced, makeSyncToken } from '../../src/queue/sync-token.ts'
import type { BatchKey, Claim, Lane, Settlement } from '../../src/queue/types.ts'
import { type QueueDatabase, queueDatabase, settlement } from './queue-fixture.ts'

/** Two documents, and nothing in the queue. */
export async function tokensDatabase(): Promise<QueueDatabase> {
  const db = await queueDatabase()
  await db.addDocument('city')
  await db.addDocument('country')
  return db
}

/**
 * Changes of an application, their tokens, and what becomes of their marks in the hands of a worker. `db` and `worker` are
 * asked for whenever something is done: hooks make them.
 */
export function tokens(db: () => QueueDatabase, worker: () => pg.PoolClient) {
  /** Empties what the test before has left; a worker for the next one. */
  async function begin(): Promise<pg.PoolClient> {
    await db().pool.query(
      `TRUNCATE ${db().s}.sync_queue, ${db().s}.sync_failed, ${db().s}.sync_run, ${db().s}.sync_brake`,
    )
    return db().pool.connect()
  }

  async function end(): Promise<void> {
    await giveBack(worker())
    worker().release()
  }

  const token = () => makeSyncToken(db().pool, db().schema)
  const synced = (of: string, document: string | null = null) =>
    isSynced(db().pool, db().schema, { token: of, document })

  /** A change of the application: its mark, as a trigger writes it, and the token made after the commit. */
  async function change(keys: readonly string[], mark: Partial<KeysToMark> = {}): Promise<string> {
    await enqueueKeys(db().pool, db().schema, { document: 'city', lane: 0, op: 'update', keys, ...mark })
    return token()
  }

  /** A change that came later. */
  const later = (keys: readonly string[], mark: Partial<KeysToMark> = {}) => change(keys, mark)

  async function claim(lane: Lane = 0, maxKeys = 1000): Promise<Claim> {
    const taken = await claimMarks(worker(), db().schema, {
      document: 'city',
      lane,
      maxKeys,
      idleTimeoutMs: 60_000,
    })
    if (taken === null) throw new Error(`nothing to claim in lane ${lane}`)
    return taken
  }

  const keysOf = (claimed: Claim): BatchKey[] =>
    claimed.marks.flatMap(({ keys, ...mark }) => (keys ?? []).map((key) => ({ key, ...mark })))

  const settle = (change: Partial<Settlement>, version = 100n) =>
    settleBatch(worker(), db().schema, settlement({ version, ...change }), { worker: 'w', maxRetries: 3 })

  /** A lane's next marks are answered well. */
  async function answer(lane: Lane = 0, version = 1_000n): Promise<void> {
    const claimed = await claim(lane)
    await settle({ lane, succeeded: new Map([['cities-1', keysOf(claimed).map(({ key }) => key)]]) }, version)
  }

  /** Marks of another, younger change are there all the while, and do not matter. */
  async function noise(): Promise<void> {
    await later(['noise'], { document: 'country' })
  }

  return { begin, end, token, synced, change, later, claim, keysOf, settle, answer, noise }
}
