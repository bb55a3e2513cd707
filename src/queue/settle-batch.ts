import type { PoolClient } from 'pg'
import { commit } from '../postgres/transaction.ts'
import { addRunCounts } from './add-run-counts.ts'
import { eraseFailures } from './erase-failures.ts'
import { lockFailures } from './lock-failures.ts'
import { markAgain } from './mark-again.ts'
import { recordFailures } from './record-failures.ts'
import type { Settlement } from './types.ts'
import { writeLog } from './write-log.ts'

export interface SettleOptions {
  /** Name of the daemon, for the log. */
  readonly worker: string
  /** A document that has failed this often is dead. */
  readonly maxRetries: number
}

/**
 * Writes what became of a batch and commits its claim: the commit is the acknowledgement (invariant 8).
 *
 * Where nothing failed and nothing is due in the log, this is two round trips: a lock and a look at sync_failed, and the commit
 * (0.3 ms together; 0.8 ms if the commit waited for the disk, which a claim's does not). What is written is written in a fixed order, the rows that batches share last: failures, marks,
 * runs, log. Two settlements can wait for each other's rows only in that order, never in a circle.
 */
export async function settleBatch(
  client: PoolClient,
  schema: string,
  settlement: Settlement,
  { worker, maxRetries }: SettleOptions,
): Promise<void> {
  const { document, version, failures, succeeded, givenBack, parked, lane, runs, log, lagCounts, batches } =
    settlement
  if (failures.length > 0 || succeeded.size > 0) {
    const mode = failures.length > 0 ? 'exclusive' : 'shared'
    const known = await lockFailures(client, schema, document, mode)
    await recordFailures(client, schema, { document, version, failures, maxRetries })
    if (known) await eraseFailures(client, schema, { document, version, succeeded })
  }
  await markAgain(client, schema, { document, lane, keys: givenBack })
  await markAgain(client, schema, { document, lane: 2, keys: parked })
  await addRunCounts(client, schema, runs)
  await writeLog(client, schema, { worker, document, log, lagCounts, batches })
  await commit(client)
}
