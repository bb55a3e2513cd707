import pRetry, { AbortError } from 'p-retry'
import type pg from 'pg'
import type { Logger } from 'pino'
import type { Settings } from '../config/types.ts'
import { SchemaError, SluiceError } from '../errors.ts'
import { closeIdle, connectionError, isConnectionError, sqlState } from '../postgres/connect.ts'
import { assertPrimary, readIdentity, rememberIdentity } from '../postgres/identity.ts'
import { checkSchema } from '../postgres/migrate.ts'
import { inTransaction } from '../postgres/transaction.ts'
import type { Identity } from '../postgres/types.ts'
import { raiseVersionFloor } from '../postgres/version.ts'
import { requestVerifyOfAll } from '../queue/request-verify-of-all.ts'

/**
 * Between two attempts to join. A restart of a few seconds must not be followed by a pause of five: within five seconds of
 * its first connection a batch is to be settled (`npm run proof -- restarts`). An attempt that is refused costs next to nothing.
 */
const LONGEST_PAUSE_MS = 2_000

interface Joining {
  readonly settings: Settings
  readonly pool: pg.Pool
  readonly log: Logger
}

/**
 * Waits until Postgres answers and our schema is there, then makes sure that this is the server we know:
 * the version floor is raised to its clock, and a server with another identity queues a verify of every
 * document (invariant 5). Start order does not matter: a missing server or schema is waited for, with a
 * word in the log whenever the reason changes. Only a schema newer than this program is final. Returns who the
 * server is; null when the signal was aborted meanwhile.
 */
export async function joinDatabase(
  { settings, pool, log }: Joining,
  signal: AbortSignal,
  waitingFor: (reason: string) => void,
): Promise<Identity | null> {
  const { schema } = settings
  // Some may lead to the server that was left.
  await closeIdle(pool)
  let told = ''
  const join = async (): Promise<Identity> => {
    try {
      await assertPrimary(pool, settings.postgres)
      await checkSchema(pool, schema)
      return await inTransaction(pool, async (client) => {
        await raiseVersionFloor(client, schema)
        if ((await rememberIdentity(client, schema)) === 'changed') {
          const reason =
            'this database is on another server or timeline than before (failover, restore or copy)'
          log.warn({ reason }, 'a verify of every document is requested')
          await requestVerifyOfAll(client, schema, reason)
        }
        return readIdentity(client)
      })
    } catch (error) {
      if (error instanceof SchemaError && error.final) throw new AbortError(error)
      const reason = reasonOf(error, settings.postgres)
      waitingFor(reason)
      if (reason !== told) log.warn({ server: 'postgres', reason }, 'waiting')
      told = reason
      throw error instanceof Error ? error : new Error(reason)
    }
  }
  try {
    const identity = await pRetry(join, {
      retries: Number.POSITIVE_INFINITY,
      minTimeout: 250,
      maxTimeout: LONGEST_PAUSE_MS,
      randomize: true,
      signal,
    })
    log.info({ schema, ...identity }, 'joined the database')
    return identity
  } catch (error) {
    if (signal.aborted) return null
    throw error
  }
}

function reasonOf(error: unknown, url: string): string {
  const known = isConnectionError(error) ? connectionError(error, url) : error
  if (!(known instanceof Error)) return String(known)
  if (sqlState(known) === '42501')
    return `${known.message}: the role in DATABASE_URL may not work as a daemon. sluice migrate --roles makes one that may; see docs/security.md`
  return known instanceof SluiceError && known.remedy !== undefined
    ? `${known.message}: ${known.remedy}`
    : known.message
}
