// @ts-check
// What the plots show: points of the last ten minutes of each document, gathered while the page is open. Pure but for its memory.

/** @typedef {import('./stream.js').Snapshot} Snapshot */
/** @typedef {NonNullable<Snapshot['known']>} Known */

/** Ten minutes at one point every two seconds. */
const MOST_POINTS = 300

/**
 * @typedef {object} Points columns of equal length
 * @property {number[]} at Unix seconds
 * @property {number[]} pending keys
 * @property {(number | null)[]} waiting age of the oldest mark, milliseconds; null: nothing waits
 * @property {(number | null)[]} lag average of what was answered since the point before, milliseconds; null: nothing was
 * @property {number[]} synced operations a second, over the last minute
 * @property {number[]} failed the same of those that failed
 */

/** @type {Map<string, Points>} */
const histories = new Map()

/** Until when the log has been counted. */
let counted = ''

/**
 * Adds a point to each document that is there, and forgets the others.
 * @param {string} at
 * @param {Known} known
 * @returns {ReadonlyMap<string, Points>}
 */
export function remember(at, { status, log }) {
  const lags = lagsSince(log, counted)
  counted = log[0]?.at ?? counted
  for (const name of histories.keys()) {
    if (!status.documents.some((document) => document.name === name)) histories.delete(name)
  }
  for (const document of status.documents) {
    const points = histories.get(document.name) ?? empty()
    histories.set(document.name, points)
    points.at.push(Date.parse(at) / 1000)
    points.pending.push(document.pendingKeys)
    points.waiting.push(document.oldestPendingMs)
    points.lag.push(lags.get(document.name) ?? null)
    points.synced.push(document.syncedLastMinute / 60)
    points.failed.push(document.failedLastMinute / 60)
    if (points.at.length > MOST_POINTS) for (const column of Object.values(points)) column.shift()
  }
  return histories
}

/** @returns {Points} */
function empty() {
  return { at: [], pending: [], waiting: [], lag: [], synced: [], failed: [] }
}

/**
 * @param {Known['log']} log
 * @param {string} since
 * @returns {ReadonlyMap<string, number>} average lag by document, each operation counted once
 */
function lagsSince(log, since) {
  /** @type {Map<string, { count: number, sum: number }>} */
  const sums = new Map()
  for (const { at, document, count, lagMs } of log) {
    if (at <= since || lagMs === null) continue
    const sum = sums.get(document) ?? { count: 0, sum: 0 }
    sums.set(document, { count: sum.count + count, sum: sum.sum + lagMs * count })
  }
  return new Map([...sums].map(([name, { count, sum }]) => [name, sum / Math.max(count, 1)]))
}
