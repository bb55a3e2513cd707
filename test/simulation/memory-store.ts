import type { BatchStore } from '../../src/sync/batch-store.ts'
import { claimSession } from './memory-claim.ts'
import { Connection, type StoreOptions } from './memory-connection.ts'
import { workSession } from './memory-work.ts'

/**
 * The store of a batch over a database in memory. A contract test holds it, and the queue beside it (memory-queue.ts), to what
 * `postgresStore` does (test/integration/simulation-contract*.test.ts).
 */
export function memoryStore(options: StoreOptions): BatchStore {
  return {
    openClaim: async () => claimSession(await Connection.open(options)),
    openWork: async () => workSession(await Connection.open(options)),
    raiseVersionFloor: async (atLeast) => {
      const connection = await Connection.open(options)
      await connection.run('raises the version floor', ({ postgres }) => postgres.raiseVersionFloor(atLeast))
      connection.release(false)
    },
  }
}
