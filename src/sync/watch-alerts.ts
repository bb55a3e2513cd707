import type pg from 'pg'
import type { Logger } from 'pino'
import { DEFAULT_ALERTS } from '../config/alerts.ts'
import type { AlertSettings } from '../config/types.ts'
import { inTransaction } from '../postgres/transaction.ts'
import { clearAlert, lockAlerts, raiseAlert, readStanding, rewordAlert } from '../queue/change-alerts.ts'
import { noteGaps } from '../queue/note-gap.ts'
import { readConditions } from '../queue/read-conditions.ts'
import { AlertPoster } from './alert-poster.ts'
import type { Chore } from './chores.ts'
import { type Decision, decideAlerts, isNothing } from './decide-alerts.ts'

export interface AlertsContext {
  readonly pool: pg.Pool
  readonly schema: string
  readonly instance: string
  readonly log: Logger
  readonly alerts: AlertSettings
}

/** Raises and clears alerts, and posts them beside: a webhook that is slow or down delays no chore. */
export function alertsChore(
  context: Omit<AlertsContext, 'alerts'> & { readonly alerts?: AlertSettings },
): Chore {
  const { alerts = DEFAULT_ALERTS } = context
  const watch = { ...context, alerts }
  const { webhook } = alerts
  const poster = webhook === null ? null : new AlertPoster({ ...watch, webhook })
  return {
    name: 'alerts',
    // Two statements, 3 ms: what lasts is known soon enough, and a daemon at rest is to cost next to nothing.
    everyMs: 10_000,
    run: async () => {
      await evaluateAlerts(watch)
      poster?.poke()
    },
    stop: async () => {
      await poster?.stop()
    },
  }
}

/**
 * Once, before a daemon's first heartbeat: that nobody was there could be told by nobody, and whoever has but the webhook hears
 * of it late rather than never. What it writes the other chore posts.
 */
export function gapChore(
  context: Omit<AlertsContext, 'alerts'> & { readonly alerts?: AlertSettings },
  documents: Readonly<Record<string, string>>,
): Chore {
  const { pool, schema, log, alerts = DEFAULT_ALERTS } = context
  let looked = false
  return {
    name: 'gap',
    everyMs: 86_400_000,
    run: async () => {
      if (looked) return
      const gaps = await inTransaction(pool, async (client) => {
        await lockAlerts(client, schema)
        return noteGaps(client, schema, documents, alerts.webhook !== null)
      })
      looked = true
      for (const { document, reason } of gaps) {
        log.warn({ alert: 'no_worker', document, reason }, 'alert raised and cleared')
      }
    },
  }
}

/**
 * Holds the conditions against the alerts that stand. As a rule nothing has changed, and that is two statements; otherwise
 * all is read once more under a lock, so that of many daemons exactly one raises an alert, and one clears it.
 */
export async function evaluateAlerts(context: AlertsContext): Promise<Decision> {
  const { pool, schema, log, alerts } = context
  const seen = decideAlerts(await readConditions(pool, schema, alerts), await readStanding(pool, schema))
  if (isNothing(seen)) return seen
  const decision = await inTransaction(pool, async (client) => {
    await lockAlerts(client, schema)
    const now = decideAlerts(await readConditions(client, schema, alerts), await readStanding(client, schema))
    for (const condition of now.raise) await raiseAlert(client, schema, condition, alerts.webhook !== null)
    for (const alert of now.reword) await rewordAlert(client, schema, alert)
    for (const alert of now.clear) await clearAlert(client, schema, alert.id)
    return now
  })
  for (const { name, document, severity, reason } of decision.raise) {
    log[severity === 'critical' ? 'error' : 'warn']({ alert: name, document, reason }, 'alert raised')
  }
  for (const { name, document } of decision.clear) log.info({ alert: name, document }, 'alert cleared')
  return decision
}
