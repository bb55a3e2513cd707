import { expect, test } from 'vitest'
import { memory } from '../../src/admin/dashboard/history.js'

/** Points of the plots. Checked with the dashboard (tsconfig.dashboard.json), which is JavaScript. */

type Known = Parameters<ReturnType<typeof memory>>[1]
type Document = Known['status']['documents'][number]
type Entry = Known['log'][number]

const document = (more: Partial<Document> = {}) =>
  ({
    name: 'item',
    pendingKeys: 0,
    oldestPendingMs: null,
    syncedLastMinute: 0,
    failedLastMinute: 0,
    ...more,
  }) as Document
const entry = (second: number, more: Partial<Entry> = {}) =>
  ({ at: moment(second), document: 'item', outcome: 'done', count: 1, lagMs: 10, ...more }) as Entry
/** Of a snapshot; the log is the latest first. */
const known = (documents: Document[], log: Entry[] = []) =>
  ({ status: { documents }, log }) as unknown as Known
const moment = (second: number) => new Date(Date.UTC(2026, 0, 1) + second * 1000).toISOString()
const time = (second: number) => Date.parse(moment(second)) / 1000

/** Columns of a document after so many snapshots, one every two seconds. */
function points(snapshots: readonly Known[], name = 'item') {
  const remember = memory()
  return snapshots.map((one, n) => structuredClone(remember(moment(2 * n), one).get(name))).at(-1)
}

test('a point is what the snapshot says: keys, milliseconds, operations a second', () => {
  const busy = { pendingKeys: 7, oldestPendingMs: 1500, syncedLastMinute: 90, failedLastMinute: 3 }
  expect(points([known([document()]), known([document(busy)])])).toEqual({
    at: [time(0), time(2)],
    pending: [0, 7],
    waiting: [null, 1500],
    lag: [null, null],
    synced: [0, 1.5],
    failed: [0, 0.05],
  })
})

test('lag is the average of what was answered since the point before, by operations, each counted once', () => {
  const first = entry(1, { lagMs: 100, count: 3 })
  const second = entry(2, { lagMs: 500 })
  const third = entry(4, { lagMs: 40 })
  const logs = [[], [second, first], [second, first], [third, second, first]]
  expect(points(logs.map((log) => known([document()], log)))?.lag).toEqual([null, 200, null, 40])
})

test('an entry that is seen after a later one counts all the same', () => {
  const [late, later] = [entry(1, { lagMs: 70 }), entry(2)]
  const logs = [[], [later], [later, late], [later, late]]
  expect(points(logs.map((log) => known([document()], log)))?.lag).toEqual([null, 10, 70, null])
})

test('what was answered before the page was opened is no point of it', () => {
  expect(points([known([document()], [entry(-5)])])?.lag).toEqual([null])
})

test('lag leaves out what a blocked index turned away, and what has none', () => {
  const log = [entry(3, { outcome: 'blocked', lagMs: 90_000 }), entry(2, { lagMs: null }), entry(1)]
  expect(points([known([document()]), known([document()], log)])?.lag).toEqual([null, 10])
})

test('documents have points of their own; one that has gone begins anew', () => {
  const both = known([document(), document({ name: 'other' })], [entry(1, { document: 'other' })])
  expect(points([known([document()]), both])?.lag).toEqual([null, null])
  expect(points([known([document()]), both], 'other')?.lag).toEqual([10])
  expect(points([both, known([document()]), both], 'other')?.at).toEqual([time(4)])
})

test('the same snapshot twice is one point, and a clock that was set back begins anew', () => {
  const remember = memory()
  const at = (second: number) => remember(moment(second), known([document()])).get('item')?.at
  expect([...(at(0) ?? [])]).toEqual([time(0)])
  expect([...(at(2) ?? [])]).toEqual([time(0), time(2)])
  expect([...(at(2) ?? [])]).toEqual([time(0), time(2)])
  expect([...(at(4) ?? [])]).toEqual([time(0), time(2), time(4)])
  expect([...(at(4) ?? [])]).toEqual([time(0), time(2), time(4)])
  expect([...(at(3) ?? [])]).toEqual([time(3)])
})

test('ten minutes are kept', () => {
  const kept = points(Array.from({ length: 320 }, (_, n) => known([document({ pendingKeys: n })])))
  for (const column of Object.values(kept ?? {})) expect(column).toHaveLength(300)
  expect(kept?.pending.at(0)).toBe(20)
  expect(kept?.pending.at(-1)).toBe(319)
})
