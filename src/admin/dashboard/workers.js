// @ts-check
// Daemons, and what they wait for.

import { byId, el, list, listOr, say } from './dom.js'
import { clock, duration } from './format.js'

/** @typedef {NonNullable<import('./stream.js').Snapshot['known']>['status']} Status */

/** @param {Status['workers']} workers */
export function showWorkers(workers) {
  listOr(
    byId('worker-list'),
    workers,
    ({ instance }) => instance,
    ({ instance }) => {
      const badge = el('span', 'badge')
      const about = el('span', 'quiet')
      const waits = el('ul', 'plain')
      return {
        element: el('article', 'card', el('div', 'head', el('h3', '', instance), badge, about), waits),
        update: ({ alive, state, reason, version, startedAt, seenMsAgo, pauses }) => {
          const well = alive && state === 'running' && pauses.length === 0
          const gone = !alive && state !== 'stopped'
          badge.className = `badge ${well ? 'healthy' : gone ? 'critical' : 'degraded'}`
          say(badge, gone ? `silent for ${duration(seenMsAgo)}` : state)
          say(about, `version ${version}, since ${clock(startedAt)}`)
          const texts = [
            ...(reason === null ? [] : [reason]),
            ...pauses.map(
              (pause) =>
                `${pause.document}${pause.index === null ? '' : `, index ${pause.index}`} waits since ${clock(pause.since)}: ${pause.reason} (${pause.type})`,
            ),
          ]
          list(
            waits,
            texts,
            (text) => text,
            (text) => ({ element: el('li', 'problem', text) }),
          )
        },
      }
    },
    'No daemon runs.',
  )
}
