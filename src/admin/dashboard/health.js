// @ts-check
// The grade, what it comes from, and what stands as an alert.

import { byId, el, list, say } from './dom.js'
import { clock, count, duration, percent } from './format.js'

/** @typedef {import('./stream.js').Snapshot} Snapshot */
/** @typedef {Snapshot['health']['components']['pending']} Component */
/** @typedef {NonNullable<Snapshot['known']>['status']} Status */

const MARKS = { healthy: '✓', degraded: '!', critical: '✕' }
const NAMES = {
  daemon: 'Daemon',
  postgres: 'Postgres',
  elasticsearch: 'Elasticsearch',
  lastSync: 'Last sync',
  pending: 'Pending',
  oldestPending: 'Oldest pending',
  errorRate: 'Error rate',
  consistency: 'Consistency',
  documents: 'Documents',
}
const ORDER = ['critical', 'degraded', 'healthy']

/** @param {Snapshot} snapshot */
export function showHealth({ health, known, problem }) {
  const grade = byId('grade')
  grade.className = `badge ${health.status}`
  say(grade, `${MARKS[health.status]} ${health.status}`)
  document.title = `${MARKS[health.status]} sluice`
  say(byId('instance'), health.instance)
  const components = Object.entries(health.components).toSorted(
    ([, a], [, b]) => ORDER.indexOf(a.status) - ORDER.indexOf(b.status),
  )
  list(
    byId('components'),
    components,
    ([name]) => name,
    ([name]) => {
      const badge = el('span')
      badge.role = 'img'
      const value = el('span', 'value')
      const reason = el('div', 'quiet')
      const title = NAMES[/** @type {keyof typeof NAMES} */ (name)] ?? name
      const element = el('li', '', el('div', 'head', badge, el('strong', '', title), value), reason)
      return {
        element,
        update: ([, component]) => {
          const { status } = component
          element.className = status
          badge.className = `badge ${status}`
          badge.ariaLabel = status
          // What is well is told by little.
          say(badge, status === 'healthy' ? MARKS[status] : `${MARKS[status]} ${status}`)
          say(value, shownValue(component))
          say(reason, component.reason)
        },
      }
    },
  )
  list(
    byId('alerts'),
    [...(problem === null ? [] : [silence(problem)]), ...(known === null ? [] : standing(known.status))],
    ({ key }) => key,
    () => {
      const element = el('li', 'alert')
      return {
        element,
        update: ({ critical, text }) => {
          element.classList.toggle('critical', critical)
          say(element, text)
        },
      }
    },
  )
}

/** @param {string} problem */
function silence(problem) {
  return { key: 'problem', critical: true, text: `What is below is old: ${problem}` }
}

/** @param {Status} status */
function standing({ alerts, failedRuns, notInstalled }) {
  return [
    ...alerts.map(({ name, document, severity, since, reason }) => ({
      key: `alert ${name} ${document}`,
      critical: severity === 'critical',
      text: `${name}${document === null ? '' : ` of ${document}`}, since ${clock(since)}: ${reason}`,
    })),
    ...failedRuns
      .filter((run) => !alerts.some((alert) => tells(alert, run)))
      .map(({ id, kind, document, error, endedAt }) => ({
        key: `run ${id}`,
        critical: false,
        text: `Run ${id}, a ${kind} of ${document}, failed at ${clock(endedAt)}: ${error ?? 'it says no more'}`,
      })),
    ...notInstalled.map((name) => ({
      key: `missing ${name}`,
      critical: false,
      text: `${name} is configured, and not installed: sluice install`,
    })),
  ]
}

/**
 * Once a daemon has looked, its alert says it.
 * @param {Status['alerts'][number]} alert
 * @param {Status['failedRuns'][number]} run
 */
function tells({ name, document, reason }, run) {
  return name === 'run_failed' && document === run.document && reason.includes(`(run ${run.id})`)
}

/** @param {Component} component */
function shownValue({ value, unit }) {
  if (value === null) return ''
  if (typeof value === 'string') return value
  if (unit === 'ms') return duration(value)
  return unit === 'share' ? percent(value) : count(value)
}
