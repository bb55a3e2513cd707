// @ts-check
// What the plots show: points of the last ten minutes of each document, gathered while the page is open. Pure.

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

/**
 * A memory for a page. What it returns adds a point to each document that is there, and forgets the others.
 * @returns {(at: string, known: Known) => ReadonlyMap<string, Points>}
 */
export function memory() {
  /** @type {Map<string, Points>} */
  const histories = new Map()
  /** The log as it was the last time; null: nothing was looked at yet. @type {Known['log'] | null} */
  let before = null
  return (at, { status, log }) => {
    const time = Date.parse(at) / 1000
    const lags = lagsOf(before === null ? [] : newSince(before, log))
    before = log
    for (const name of histories.keys()) {
      if (!status.documents.some((document) => document.name === name)) histories.delete(name)
    }
    for (const document of status.documents) {
      const points = pointsBefore(histories.get(document.name), time)
      histories.set(document.name, points)
      // Whoever connects again is shown the snapshot that it may have.
      if (points.at.at(-1) === time) continue
      points.at.push(time)
      points.pending.push(document.pendingKeys)
      points.waiting.push(document.oldestPendingMs)
      points.lag.push(lags.get(document.name) ?? null)
      points.synced.push(document.syncedLastMinute / 60)
      points.failed.push(document.failedLastMinute / 60)
      if (points.at.length > MOST_POINTS) for (const column of Object.values(points)) column.shift()
    }
    return histories
  }
}

/**
 * Those that there are; none where the clock was set back, for a plot goes by time.
 * @param {Points | undefined} points
 * @param {number} time
 * @returns {Points}
 */
function pointsBefore(points, time) {
  const last = points?.at.at(-1) ?? Number.NEGATIVE_INFINITY
  return points === undefined || last > time ? empty() : points
}

/** @returns {Points} */
function empty() {
  return { at: [], pending: [], waiting: [], lag: [], synced: [], failed: [] }
}

/**
 * Entries that were not there before. Not those that are later: workers date what they write before it can be seen, and an
 * entry may come after a later one.
 * @param {Known['log']} before
 * @param {Known['log']} log
 */
function newSince(before, log) {
  const seen = new Set(before.map(placeOf))
  return log.filter((entry) => !seen.has(placeOf(entry)))
}

/** @param {Known['log'][number]} entry */
function placeOf({ at, worker, document, index, operation, outcome }) {
  return JSON.stringify([at, worker, document, index, operation, outcome])
}

/**
 * @param {Known['log']} log
 * @returns {ReadonlyMap<string, number>} average lag by document, each operation counted once; as in sync_lag, without those
 *   that a blocked index turned away: they go on waiting
 */
function lagsOf(log) {
  /** @type {Map<string, { count: number, sum: number }>} */
  const sums = new Map()
  for (const { document, outcome, count, lagMs } of log) {
    if (lagMs === null || outcome === 'blocked') continue
    const sum = sums.get(document) ?? { count: 0, sum: 0 }
    sums.set(document, { count: sum.count + count, sum: sum.sum + lagMs * count })
  }
  return new Map([...sums].map(([name, { count, sum }]) => [name, sum / Math.max(count, 1)]))
}
