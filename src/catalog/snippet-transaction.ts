import type { ClientBase } from 'pg'
import { sqlState } from '../postgres/connect.ts'

const noTransaction = '25P01'

/**
 * Runs `fn` and takes back all it did: by a savepoint where the caller is in a transaction, by a transaction of
 * its own where not. A client, not a pool: the statements must meet on one connection.
 */
export async function inSnippetTransaction<T>(client: ClientBase, fn: () => Promise<T>): Promise<T> {
  const undo = await begin(client)
  let result: T
  try {
    result = await fn()
  } catch (error) {
    // A lost connection has undone it already, and `error` says so better than a failing ROLLBACK.
    await undo().catch(() => {})
    throw error
  }
  await undo()
  return result
}

async function begin(client: ClientBase): Promise<() => Promise<unknown>> {
  try {
    await client.query('SAVEPOINT sluice_snippet')
    return () => client.query('ROLLBACK TO SAVEPOINT sluice_snippet; RELEASE SAVEPOINT sluice_snippet')
  } catch (error) {
    if (sqlState(error) !== noTransaction) throw error
    await client.query('BEGIN')
    return () => client.query('ROLLBACK')
  }
}
