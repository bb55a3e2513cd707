import type { z } from 'zod'
import { plural } from '../counts.ts'
import type { Figures } from '../queue/health-figures.ts'
import type { AlertName, Condition } from '../queue/read-conditions.ts'
import { differenceCount } from '../runs/comparison.ts'
import type { DaemonState } from '../sync/types.ts'
import type { healthJson } from './json.ts'

export type Health = z.infer<typeof healthJson>
type Component = Health['components']['postgres']
type Grade = Health['status']

/** What is graded. */
export interface Findings {
  readonly daemon: Pick<DaemonState, 'state' | 'reason'>
  /** null: Postgres did not answer, and `postgresReason` says why. */
  readonly figures: Figures | null
  /** What lasts, as alerts are raised by; empty where Postgres did not answer. */
  readonly conditions: readonly Pick<Condition, 'name' | 'document' | 'reason' | 'due'>[]
  readonly postgresReason: string | null
  /** What the cluster says of itself; null: it did not answer, and `elasticsearchReason` says why. */
  readonly cluster: { readonly status: 'green' | 'yellow' | 'red'; readonly unassignedShards: number } | null
  readonly elasticsearchReason: string | null
}

/** From where on something is degraded, and critical. */
export const THRESHOLDS = {
  /** Milliseconds. A daemon answers a change within a second; a large fan-out or a backfill takes minutes. */
  lateMs: { degraded: 60_000, critical: 600_000 },
  /** Keys. At 10,000 a second, a hundred seconds. */
  pendingKeys: { degraded: 1_000_000, critical: null },
  /** Share of an hour's operations. */
  errorRate: { degraded: 0.01, critical: 0.1 },
  /** Share of the rows that the last verify found otherwise. */
  differences: { degraded: 0, critical: 0.01 },
} as const

/** Fewer failures than this say nothing about a rate: three of ten at night are no emergency. */
const FEW_FAILURES = 10

const GRADES: readonly Grade[] = ['healthy', 'degraded', 'critical']
const NO_THRESHOLD = { degraded: null, critical: null }

/** Findings → how each part is doing, and the worst of it. Pure. */
export function grade(findings: Findings): Omit<Health, 'instance'> {
  const { figures, postgresReason } = findings
  const unknown = unknownFor(postgresReason ?? 'Postgres does not answer')
  const components = {
    daemon: daemonOf(findings.daemon),
    postgres: figures === null ? down(postgresReason) : up('it answers'),
    elasticsearch: elasticsearchOf(findings),
    lastSync: figures === null ? unknown : lastSyncOf(figures),
    pending: figures === null ? unknown : pendingOf(figures),
    oldestPending: figures === null ? unknown : oldestPendingOf(figures),
    errorRate: figures === null ? unknown : errorRateOf(figures),
    consistency: figures === null ? unknown : consistencyOf(figures),
    documents: figures === null ? unknown : documentsOf(figures, findings.conditions),
  }
  const worst = Math.max(...Object.values(components).map(({ status }) => GRADES.indexOf(status)))
  return { status: GRADES[worst] ?? 'critical', components }
}

function up(reason: string): Component {
  return {
    status: 'healthy',
    value: 'up',
    unit: null,
    threshold: { degraded: null, critical: 'down' },
    reason,
  }
}

function down(reason: string | null): Component {
  return { ...up(reason ?? 'it does not answer'), status: 'critical', value: 'down' }
}

/** Not a grade of its own: that Postgres is away is said once. */
function unknownFor(reason: string): Component {
  return {
    status: 'healthy',
    value: null,
    unit: null,
    threshold: NO_THRESHOLD,
    reason: `not known: ${reason}`,
  }
}

/** Draining is what a daemon was told to do; one that waits for a server does no work. */
function daemonOf({ state, reason }: Findings['daemon']): Component {
  const status = {
    running: 'healthy',
    waiting: 'critical',
    draining: 'degraded',
    stopped: 'critical',
  } as const
  return {
    status: status[state],
    value: state,
    unit: null,
    threshold: { degraded: 'draining', critical: 'waiting' },
    reason: reason === null ? `it is ${state}` : `it is ${state}: ${reason}`,
  }
}

function elasticsearchOf({ cluster, elasticsearchReason }: Findings): Component {
  const threshold = { degraded: 'yellow', critical: 'red' }
  if (cluster === null) {
    const reason = elasticsearchReason ?? 'it does not answer'
    return { status: 'critical', value: 'down', unit: null, threshold, reason }
  }
  const { status: colour, unassignedShards } = cluster
  const missing = `${plural(unassignedShards, 'shard has', 'shards have')} no node`
  const [status, reason] = {
    green: ['healthy', 'every shard has a node'] as const,
    yellow: ['degraded', `${missing}: copies alone, nothing is missing`] as const,
    red: ['critical', `${missing}: some indices cannot be read or written whole`] as const,
  }[colour]
  return { status, value: colour, unit: null, threshold, reason }
}

/** An old last sync is bad news only where something waits. */
function lastSyncOf({ lastSyncMs, oldestPendingMs }: Figures): Component {
  const base = { value: lastSyncMs, unit: 'ms', threshold: THRESHOLDS.lateMs } as const
  if (oldestPendingMs === null) return { ...base, status: 'healthy', reason: 'nothing waits' }
  // Since when nothing has gone through although something waited.
  const stuckMs = Math.min(oldestPendingMs, lastSyncMs ?? Number.POSITIVE_INFINITY)
  const status = above(stuckMs, THRESHOLDS.lateMs)
  const reason =
    status === 'healthy'
      ? 'what waits is being worked off'
      : `something waits, and nothing has gone through for ${seconds(stuckMs)}`
  return { ...base, status, reason }
}

function pendingOf({ pendingKeys, pendingIsExact }: Figures): Component {
  const atLeast = pendingIsExact ? '' : 'at least '
  return {
    status: above(pendingKeys, THRESHOLDS.pendingKeys),
    value: pendingKeys,
    unit: 'keys',
    threshold: THRESHOLDS.pendingKeys,
    reason:
      pendingKeys === 0 ? 'nothing waits' : `${atLeast}${plural(pendingKeys, 'key waits', 'keys wait')}`,
  }
}

function oldestPendingOf({ oldestPendingMs }: Figures): Component {
  const reason =
    oldestPendingMs === null ? 'nothing waits' : `the oldest mark is ${seconds(oldestPendingMs)} old`
  return {
    status: above(oldestPendingMs ?? 0, THRESHOLDS.lateMs),
    value: oldestPendingMs,
    unit: 'ms',
    threshold: THRESHOLDS.lateMs,
    reason,
  }
}

function errorRateOf({ answeredLastHour, failedLastHour }: Figures): Component {
  const base = { unit: 'share', threshold: THRESHOLDS.errorRate } as const
  if (answeredLastHour === 0)
    return { ...base, status: 'healthy', value: null, reason: 'nothing was sent within an hour' }
  const rate = failedLastHour / answeredLastHour
  const judged = above(rate, THRESHOLDS.errorRate)
  return {
    ...base,
    status: judged === 'critical' && failedLastHour < FEW_FAILURES ? 'degraded' : judged,
    value: rate,
    reason: `${failedLastHour} of ${answeredLastHour} operations of the last hour failed`,
  }
}

/** The worst document counts. One that was never verified says nothing, and how long ago one was is left to the reader to judge. */
function consistencyOf({ verified }: Figures): Component {
  const base = { unit: 'share', threshold: THRESHOLDS.differences } as const
  const judged = verified.map((one) => {
    const differences = differenceCount(one)
    return { ...one, differences, share: differences / one.compared }
  })
  const [worst] = judged.toSorted((a, b) => b.share - a.share || b.ageMs - a.ageMs)
  if (worst === undefined) {
    return {
      ...base,
      status: 'healthy',
      value: null,
      reason: 'nothing was verified since it was written anew, or ever',
    }
  }
  const { share, differences, document, ageMs } = worst
  if (differences === 0) {
    // Of equals the oldest comes first.
    const reason = `the last verify of each document left no difference; the oldest is of ${ago(ageMs)}`
    return { ...base, status: 'healthy', value: 0, reason }
  }
  return {
    ...base,
    status: share >= THRESHOLDS.differences.critical ? 'critical' : 'degraded',
    value: share,
    reason: `the verify of ${document} of ${ago(ageMs)} left ${plural(differences, 'difference', 'differences')}: sluice verify ${document} --repair`,
  }
}

/** Components of their own tell these, by limits of their own. */
const TOLD_ELSEWHERE: ReadonlySet<AlertName> = new Set(['backlog_old', 'drift'])

/**
 * Documents that nobody works on, or that somebody has to look at: by the conditions that alerts are raised by, so that the
 * two never say otherwise, and by alarms that none of them has (that of a run, after its condition is over).
 */
function documentsOf({ troubled }: Figures, conditions: Findings['conditions']): Component {
  const lasting = conditions
    .filter(({ name, due }) => due && !TOLD_ELSEWHERE.has(name))
    .map(({ name, document, reason }) => ({ document: document ?? 'all', what: wordsOf(name, reason) }))
  const named = new Set(lasting.map(({ document }) => document))
  const told = [...lasting, ...troubled.filter(({ document }) => !named.has(document))]
  return {
    status: told.length === 0 ? 'healthy' : 'degraded',
    value: new Set(told.map(({ document }) => document)).size,
    unit: 'documents',
    threshold: { degraded: 1, critical: null },
    reason:
      told.length === 0
        ? 'all are active and worked on, and nothing has to be looked at'
        : told.map(({ document, what }) => `${document}: ${what}`).join('; '),
  }
}

/** The reason of a pause is whatever an operator wrote, and says nothing of a pause. */
function wordsOf(name: AlertName, reason: string): string {
  if (name !== 'document_paused' && name !== 'document_detached') return reason
  const state = name.slice('document_'.length)
  return reason === state ? state : `${state} (${reason})`
}

function above(
  value: number,
  { degraded, critical }: { readonly degraded: number; readonly critical: number | null },
): Grade {
  if (critical !== null && value >= critical) return 'critical'
  return value >= degraded ? 'degraded' : 'healthy'
}

function seconds(ms: number): string {
  return `${Math.round(ms / 1000)} s`
}

const MINUTE_MS = 60_000
const HOUR_MS = 60 * MINUTE_MS
const DAY_MS = 24 * HOUR_MS

/** In the unit of which there are at least two, as far as there are. */
function ago(ms: number): string {
  if (ms < MINUTE_MS) return 'less than a minute ago'
  if (ms < 2 * MINUTE_MS) return '1 minute ago'
  if (ms < 2 * HOUR_MS) return `${Math.floor(ms / MINUTE_MS)} minutes ago`
  return ms < 2 * DAY_MS ? `${Math.floor(ms / HOUR_MS)} hours ago` : `${Math.floor(ms / DAY_MS)} days ago`
}
