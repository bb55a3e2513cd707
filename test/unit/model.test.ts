import { expect, test } from 'vitest'
import { explore } from '../model/explore.ts'
import { isFinished, judge } from '../model/judge.ts'
import { keyOf } from '../model/key.ts'
import { moveKinds } from '../model/move.ts'
import { type Bounds, shipped } from '../model/orders.ts'
import { firstStuck } from '../model/progress.ts'
import { beginnings, movesOf } from '../model/world.ts'
import { wrongOrders } from '../model/wrong-orders.ts'

// The short form of `npm run model`, which has the larger bounds.
const small: Bounds = {
  changes: 2,
  workers: 2,
  rows: 1,
  faults: 1,
  crashes: 1,
  timeouts: 1,
  cuts: 1,
  reindexes: 0,
}
const reindex: Bounds = { ...small, changes: 1, reindexes: 1 }

test('the shipped order loses nothing and is never stuck, whatever the interleaving', () => {
  const found = [explore(shipped, small), explore(shipped, reindex)]
  expect(found.map(({ wrong }) => wrong)).toEqual([null, null])
  // All that the model knows has happened: none of it is there for show.
  const seen = new Set(found.flatMap(({ kinds }) => [...kinds]))
  expect(moveKinds.filter((kind) => !seen.has(kind))).toEqual([])
}, 60_000)

// Searched nearest first, so these are the shortest; longer ones would say that a rule of the model has changed.
const steps = {
  'version-in-trigger': 16,
  'version-before-claim': 18,
  'version-after-load': 18,
  'version-not-durable': 18,
  'version-flushed-if-written': 23,
  'change-not-flushed': 9,
  'index-without-version': 18,
  'deduplicated-queue': 11,
  'mark-before-change': 9,
  'acknowledged-before-answer': 8,
  'silence-is-success': 8,
  'targets-before-claim': 8,
  'targets-after-load': 21,
  'walk-before-registration': 8,
  'registration-not-flushed': 22,
  'dropped-under-claims': 14,
} as const satisfies Record<keyof typeof wrongOrders, number>

test.each(Object.entries(wrongOrders))(
  'the wrong order %s is noticed',
  (name, { order, bounds, fault }) => {
    const { wrong } = explore(order, bounds, (verdict) => verdict.fault === fault)
    expect({ fault: wrong?.verdict.fault, steps: wrong?.lines.length }).toEqual({
      fault,
      steps: steps[name as keyof typeof steps],
    })
  },
  60_000,
)

test('a state from which no finished one can be reached is stuck, though something can happen in it for ever', () => {
  // 0 → 1 → 3 (finished), 0 → 2 ⇄ 4
  const transitions = { from: [0, 1, 0, 2, 4], to: [1, 3, 2, 4, 2] }
  expect(firstStuck(5, [3], transitions)).toBe(2)
  expect(firstStuck(5, [3, 4], transitions)).toBeNull()
})

test('states that are taken for the same are: what can happen in them is the same, and its verdict', () => {
  const bounds: Bounds = { ...small, workers: 1, rows: 2, faults: 2 }
  const alike = new Map<string, string>()
  const seen = new Set<string>()
  const unlike: string[] = []
  let open = beginnings(shipped, bounds).map(({ state }) => state)
  while (open.length > 0) {
    open = open.flatMap((state) => {
      const next = movesOf(state, shipped, bounds).map((move) => move.next)
      const future = [judge(state)?.fault, isFinished(state), ...new Set(next.map(keyOf).sort())].join('\n')
      const key = keyOf(state)
      if ((alike.get(key) ?? future) !== future) unlike.push(key)
      alike.set(key, future)
      return next.filter((one) => isNew(seen, JSON.stringify(one)))
    })
  }
  expect({ unlike, merged: seen.size > 2 * alike.size }).toEqual({ unlike: [], merged: true })
}, 60_000)

function isNew(seen: Set<string>, text: string): boolean {
  if (seen.has(text)) return false
  seen.add(text)
  return true
}
