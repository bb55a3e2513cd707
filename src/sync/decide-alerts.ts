import type { StandingAlert } from '../queue/change-alerts.ts'
import type { Condition } from '../queue/read-conditions.ts'

/** What is to be done about alerts. */
export interface Decision {
  readonly raise: readonly Condition[]
  /** They stand, and other words are said of them now: nobody is told anew. */
  readonly reword: readonly Pick<StandingAlert, 'id' | 'severity' | 'reason'>[]
  readonly clear: readonly StandingAlert[]
}

/**
 * Holds what is against what has been raised. A condition that is due is raised; one that is not (it has not lasted long
 * enough, or is on its way out) keeps the alert that stands; an alert without its condition is over. Pure.
 */
export function decideAlerts(conditions: readonly Condition[], standing: readonly StandingAlert[]): Decision {
  const known = new Map(standing.map((alert) => [nameOf(alert), alert]))
  const holding = new Set(conditions.map(nameOf))
  return {
    raise: conditions.filter((condition) => condition.due && !known.has(nameOf(condition))),
    reword: conditions.flatMap((condition) => {
      const { severity, reason } = condition
      const alert = known.get(nameOf(condition))
      if (alert === undefined || (alert.severity === severity && alert.reason === reason)) return []
      return [{ id: alert.id, severity, reason }]
    }),
    clear: standing.filter((alert) => !holding.has(nameOf(alert))),
  }
}

export function isNothing({ raise, reword, clear }: Decision): boolean {
  return raise.length + reword.length + clear.length === 0
}

const nameOf = ({ name, document }: { readonly name: string; readonly document: string | null }) =>
  JSON.stringify([name, document])
