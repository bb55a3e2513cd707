import type pg from 'pg'
import type { Version } from '../postgres/types.ts'
import { drawVersion, raiseVersionFloor } from '../postgres/version.ts'

/** Connections whose server's sequence was seen to be at the clock. */
const raised = new WeakSet<pg.PoolClient>()

/**
 * Draws a batch's version. A new connection may lead to another server than the last one (a failover, a restored
 * dump, a cold copy behind the same name), whose sequence may be far behind: its floor is raised first (invariant 5).
 */
export async function draw(client: pg.PoolClient, schema: string): Promise<Version> {
  if (!raised.has(client)) {
    await raiseVersionFloor(client, schema)
    raised.add(client)
  }
  return drawVersion(client, schema)
}
