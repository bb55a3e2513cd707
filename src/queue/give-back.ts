import { rollback } from '../postgres/transaction.ts'
import type { Queryable } from '../postgres/types.ts'

/** Ends the claim: its marks are in the queue as if they had never been taken. Never throws; on a lost connection the server does it. */
export async function giveBack(client: Queryable): Promise<void> {
  await rollback(client)
}
