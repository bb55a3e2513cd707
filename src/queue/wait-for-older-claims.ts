import { setTimeout } from 'node:timers/promises'
import { FailedError } from '../errors.ts'
import type { Queryable } from '../postgres/types.ts'
import { claimLockClass } from './claim-lock.ts'

/**
 * Returns when every claim that is open now has ended, however many begin meanwhile: what their batches read may be
 * older than this moment. Holders of the claim lock are told apart by backend and virtual transaction, so that the
 * next claim on the same connection is not taken for the old one. A claim's life is capped, so a time-out (FailedError)
 * means a stuck one. One look at pg_locks costs 0.2 ms; waits grow from 10 to 200 ms.
 */
export async function waitForOlderClaims(
  db: Queryable,
  schema: string,
  { timeoutMs }: { readonly timeoutMs: number },
): Promise<void> {
  const deadline = performance.now() + timeoutMs
  const older = await openClaims(db, schema)
  for (let pause = 10; older.size > 0; pause = Math.min(200, pause * 2)) {
    if (performance.now() > deadline) {
      throw new FailedError(
        `${older.size} claim(s) made before this moment have not ended within ${timeoutMs} ms`,
        {
          remedy: `Look for backends idle in transaction: pid ${[...older].map((claim) => claim.split(' ')[0]).join(', ')}.`,
        },
      )
    }
    await setTimeout(pause)
    const open = await openClaims(db, schema)
    for (const claim of older) if (!open.has(claim)) older.delete(claim)
  }
}

async function openClaims(db: Queryable, schema: string): Promise<Set<string>> {
  const { rows } = await db.query<{ claim: string }>(
    // pg_locks shows the two integer keys of an advisory lock as unsigned classid and objid, with objsubid 2.
    `SELECT pid || ' ' || virtualtransaction AS claim
       FROM pg_locks
      WHERE locktype = 'advisory' AND granted AND objsubid = 2
        AND database = (SELECT oid FROM pg_database WHERE datname = current_database())
        AND classid = $1::oid AND objid = (hashtext($2)::bigint & 4294967295)::oid`,
    [claimLockClass, schema],
  )
  return new Set(rows.map(({ claim }) => claim))
}
