import pg from 'pg'
import { FailedError, SluiceError, UsageError } from '../errors.ts'
import { connectionError, isConnectionError } from '../postgres/connect.ts'

/** What a user can have got wrong when one of our SQL functions raises these: no such document, a null key. */
const usageStates = new Set(['42704', '22004', '22023'])

const ROLES =
  'docs/security.md says which role may do what; sluice migrate --roles makes them, and an administrator grants them to logins.'

/** An error as a user should see it. What Postgres says becomes one of ours; anything else is a fault of ours. */
export function explain(error: unknown, postgresUrl: string): unknown {
  if (error instanceof SluiceError) return error
  if (isConnectionError(error)) return connectionError(error, postgresUrl)
  if (!(error instanceof pg.DatabaseError)) return error
  const remedy = error.hint ?? (error.code === '42501' ? ROLES : undefined)
  const details = { cause: error, ...(remedy === undefined ? {} : { remedy }) }
  // RAISE in PL/pgSQL: one of our functions says it, in words for people.
  if (error.routine === 'exec_stmt_raise') {
    return usageStates.has(error.code ?? '')
      ? new UsageError(error.message, details)
      : new FailedError(error.message, details)
  }
  const detail = error.detail === undefined ? '' : ` (${error.detail})`
  return new FailedError(`${error.message}${detail}`, { ...details, where: `Postgres ${error.code}` })
}
