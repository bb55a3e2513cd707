// @ts-check
// A card for each document: how it stands in words, and three plots.

import { byId, el, list, listOr, say } from './dom.js'
import { count, duration, percent, perSecond, short } from './format.js'
import { memory } from './history.js'
import { plot } from './plots.js'

/** @typedef {import('./stream.js').Snapshot} Snapshot */
/** @typedef {NonNullable<Snapshot['known']>['status']['documents'][number]} DocumentStatus */

const remember = memory()

/**
 * @param {string} at
 * @param {NonNullable<Snapshot['known']>} known
 */
export function showDocuments(at, known) {
  const histories = remember(at, known)
  listOr(
    byId('document-list'),
    known.status.documents,
    ({ name }) => name,
    ({ name }) => {
      const badge = el('span', 'badge')
      const figures = el('span', 'quiet')
      const troubles = el('ul', 'plain')
      const pending = plot('Pending', [{ label: 'keys', colour: '--line' }], short)
      const lag = plot(
        'Lag',
        [
          { label: 'answered', colour: '--line' },
          { label: 'oldest waiting', colour: '--line-2' },
        ],
        duration,
      )
      const rate = plot(
        'Rate',
        [
          { label: 'synced/s', colour: '--line' },
          { label: 'failed/s', colour: '--line-2' },
        ],
        perSecond,
      )
      const plots = el('div', 'plots', pending.figure, lag.figure, rate.figure)
      const head = el('div', 'head', el('h3', '', name), badge, figures)
      return {
        element: el('article', 'card', head, troubles, plots),
        update: (document) => {
          const trouble = troublesOf(document)
          const well = document.state === 'active' && document.attended && trouble.length === 0
          badge.className = `badge ${well ? 'healthy' : 'degraded'}`
          say(badge, document.attended ? document.state : `${document.state}, no daemon works on it`)
          say(figures, figuresOf(document))
          list(
            troubles,
            trouble,
            (text) => text,
            (text) => ({ element: el('li', 'problem', text) }),
          )
          const points = histories.get(name)
          if (points === undefined) return
          pending.update([points.at, points.pending])
          lag.update([points.at, points.lag, points.waiting])
          rate.update([points.at, points.synced, points.failed])
        },
      }
    },
    'No document is installed: sluice install',
  )
}

/** @param {DocumentStatus} document */
function figuresOf({ pendingKeys, keysAreExact, averageLagMs, p99LagMs, failureRate, retrying, dead }) {
  return [
    `${keysAreExact ? '' : 'about '}${count(pendingKeys)} pending`,
    ...(averageLagMs === null
      ? []
      : [`lag ${duration(averageLagMs)}, p99 ${duration(p99LagMs)} (last hour)`]),
    ...(failureRate > 0 ? [`${percent(failureRate)} failed (last hour)`] : []),
    ...(retrying > 0 ? [`${count(retrying)} retrying`] : []),
    ...(dead > 0 ? [`${count(dead)} dead`] : []),
  ].join(' · ')
}

/**
 * What somebody has to know of it.
 * @param {DocumentStatus} document
 */
function troublesOf({ state, reason, alarm, definition, laterColumns, blockedKeys, brake }) {
  return [
    ...(state !== 'active' && reason !== null ? [reason] : []),
    ...(alarm === null ? [] : [alarm]),
    ...(brake === null ? [] : [`The mass-delete brake holds back ${count(brake.parked)} deletes`]),
    ...(blockedKeys > 0 ? [`${count(blockedKeys)} keys wait for an index that takes no writes`] : []),
    ...(definition === 'changed' ? ['Its configuration has changed since the install'] : []),
    ...(definition === 'missing' ? ['The configuration of this daemon does not have it'] : []),
    ...laterColumns.map(
      ({ table, columns }) => `Columns that came after the install: ${table} (${columns.join(', ')})`,
    ),
  ]
}
