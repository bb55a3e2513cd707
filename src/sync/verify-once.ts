import type pg from 'pg'
import type { Logger } from 'pino'
import { inTransaction } from '../postgres/transaction.ts'
import { requestRewrite } from '../queue/request-rewrite.ts'

/**
 * Notes something that was found and requests a verify for it, both or neither, and says so; where another daemon has noted
 * it (`note` resolves to false), that one has done all this.
 */
export async function verifyOnce(
  { pool, schema, log }: { readonly pool: pg.Pool; readonly schema: string; readonly log: Logger },
  found: { readonly document: string; readonly index?: string; readonly reason: string },
  note: (client: pg.PoolClient) => Promise<boolean>,
): Promise<void> {
  const first = await inTransaction(pool, async (client) => {
    if (!(await note(client))) return false
    await requestRewrite(client, schema, found)
    return true
  })
  if (first) log.error(found, 'a verify is requested')
}
