// @ts-check
// The latest of the log: one row a second, worker, document, index, operation and outcome.

import { byId, el, list } from './dom.js'
import { clock, count, duration, size } from './format.js'

/** @typedef {NonNullable<import('./stream.js').Snapshot['known']>['log']} Log */

const GRADES = { done: 'healthy', superseded: '', retry: 'degraded', blocked: 'degraded', dead: 'critical' }

/** @param {Log} log */
export function showBatches(log) {
  list(
    byId('batch-list'),
    log,
    ({ at, worker, document, index, operation, outcome }) =>
      JSON.stringify([at, worker, document, index, operation, outcome]),
    (entry) => ({
      element: el(
        'tr',
        '',
        el('td', '', clock(entry.at)),
        el('td', '', entry.document),
        el('td', '', entry.index),
        el('td', '', `${entry.operation} `, el('span', `badge ${GRADES[entry.outcome]}`, entry.outcome)),
        el('td', 'number', count(entry.count)),
        el('td', 'number', size(entry.bytes)),
        el('td', 'number', duration(entry.lagMs)),
        el('td', 'number', duration(entry.tookMs)),
        el('td', '', entry.worker),
      ),
    }),
  )
}
