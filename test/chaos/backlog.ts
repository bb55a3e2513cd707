import { setTimeout as delay } from 'node:timers/promises'
import pg from 'pg'

/** How far sluice is behind. */
export interface Backlog {
  /** Whether more marks wait than a few batches take. */
  readonly long: boolean
  stop(): Promise<void>
}

/** About as many as four daemons take at once. */
const LONG = 60
const LOOK_MS = 50

/**
 * Looks at the queue all the time. While many marks wait, the states of a key meet in one batch and little can go wrong:
 * batches have to be about what has just happened, however busy the machine is.
 */
export function watchBacklog(url: string): Backlog {
  const stopping = new AbortController()
  const backlog = { long: false }
  const watch = async () => {
    let client: pg.Client | null = null
    while (!stopping.signal.aborted) {
      try {
        if (client === null) {
          client = new pg.Client({ connectionString: url, connectionTimeoutMillis: 2_000 })
          client.on('error', () => {})
          await client.connect()
        }
        const { rows } = await client.query<{ marks: number }>(
          `SELECT count(*)::integer AS marks FROM (SELECT FROM sluice.sync_queue WHERE lane < 2 LIMIT ${LONG}) q`,
        )
        backlog.long = (rows[0]?.marks ?? 0) === LONG
      } catch {
        // Postgres is crashed every few seconds.
        await client?.end().catch(() => undefined)
        client = null
      }
      await delay(LOOK_MS)
    }
    await client?.end().catch(() => undefined)
  }
  const ended = watch()
  return Object.assign(backlog, {
    stop: async () => {
      stopping.abort()
      await ended
    },
  })
}
