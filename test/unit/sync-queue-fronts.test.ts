import { describe, expect, test } from 'vitest'
import type { LaneFront } from '../../src/queue/pending-lanes.ts'
import { QueueFronts } from '../../src/sync/queue-fronts.ts'

/** A queue of one document whose marks come and go by hand, and a clock. `takesMs`: what a look from the beginning takes. */
function scene(takesMs = 0) {
  let clock = 10_000
  const marks = { 0: new Set<bigint>(), 1: new Set<bigint>() }
  let lastId = 0n
  let told = true
  const asked: (readonly LaneFront[])[] = []
  const fronts = new QueueFronts(() => clock)
  const look = async () => {
    const lanes = await fronts.look(['city'], async (begins) => {
      asked.push(begins)
      if (begins.every(({ front }) => front === 0n)) clock += takesMs
      const found = begins.flatMap((one) => {
        const seen = [...marks[one.lane]].filter((id) => id >= one.front).sort((a, b) => Number(a - b))
        return seen[0] === undefined ? [] : [{ ...one, front: seen[0] }]
      })
      return { lanes: found, lastId: told ? lastId : null }
    })
    return lanes.map(({ lane, front }) => [lane, front])
  }
  return {
    fronts,
    look,
    /** The fronts of lanes 0 and 1 that the last look asked from. */
    lastAsked: () => asked.at(-1)?.map(({ front }) => front),
    mark: (id: bigint, lane: 0 | 1 = 0) => {
      marks[lane].add(id)
      if (id > lastId) lastId = id
    },
    done: (id: bigint, lane: 0 | 1 = 0) => marks[lane].delete(id),
    /** From here on no look finds anything, and none says how far ids are. */
    silence: () => {
      told = false
    },
    /** Ids that were taken, and whose marks are gone or not there yet. */
    ids: (last: bigint) => {
      lastId = last
    },
    pass: (ms: number) => {
      clock += ms
    },
  }
}

/** A scene in which looks from the beginning take 300 ms, two of which have passed: ids up to 1,000 are a second old. */
async function longAgo() {
  const s = scene(300)
  s.ids(1000n)
  await s.look()
  s.pass(3001)
  await s.look()
  return s
}

describe('where lanes begin', () => {
  test('at the beginning, before anything is known of them', async () => {
    const s = scene()
    expect(s.fronts.of('city', 0)).toBe(0n)
    s.mark(7n)
    expect(await s.look()).toEqual([[0, 7n]])
    expect(s.lastAsked()).toEqual([0n, 0n])
    expect(s.fronts.of('city', 0)).toBe(0n)
  })

  test('at the last id of a second ago, where nothing is before it', async () => {
    const s = await longAgo()
    s.mark(1500n, 1)
    s.pass(10)
    expect(await s.look()).toEqual([[1, 1500n]])
    expect(s.lastAsked()).toEqual([1000n, 1000n])
    expect([s.fronts.of('city', 0), s.fronts.of('city', 1)]).toEqual([1000n, 1000n])
    expect(s.fronts.of('country', 0)).toBe(0n)
  })

  test('at its first mark, where that is older', async () => {
    const s = scene(300)
    s.mark(5n)
    s.mark(6n, 1)
    s.ids(1000n)
    await s.look()
    s.pass(3001)
    await s.look()
    expect([s.fronts.of('city', 0), s.fronts.of('city', 1)]).toEqual([5n, 6n])
    s.done(5n)
    s.pass(10)
    expect(await s.look()).toEqual([[1, 6n]])
    expect([s.fronts.of('city', 0), s.fronts.of('city', 1)]).toEqual([1000n, 6n])
  })

  test('not at an id that is younger than a second: a mark before it may commit later', async () => {
    const s = await longAgo()
    s.mark(2000n)
    s.pass(999)
    await s.look()
    s.mark(1001n)
    s.pass(10)
    expect(await s.look()).toEqual([[0, 1001n]])
  })

  test('a look that takes long says nothing of the second before its end', async () => {
    const s = scene(5000)
    s.ids(1000n)
    await s.look()
    s.pass(999)
    s.ids(2000n)
    await s.look()
    expect(s.fronts.of('city', 0)).toBe(0n)
    s.pass(1)
    await s.look()
    expect(s.fronts.of('city', 0)).toBe(1000n)
  })
})

test('a look that finds nothing leaves fronts where they are', async () => {
  const s = await longAgo()
  s.ids(2000n)
  s.silence()
  for (let n = 0; n < 3; n++) {
    s.pass(1000)
    await s.look()
  }
  expect(s.fronts.of('city', 0)).toBe(1000n)
})

describe('looks from the beginning', () => {
  test('are all of them, where they take no time', async () => {
    const s = scene(0)
    s.ids(1000n)
    for (let n = 0; n < 5; n++) {
      await s.look()
      expect(s.lastAsked()).toEqual([0n, 0n])
      s.pass(2000)
    }
  })

  test('come after ten times what one took, and find what was late', async () => {
    const s = await longAgo()
    s.mark(3n)
    s.pass(2999)
    expect(await s.look()).toEqual([])
    s.pass(1)
    expect(await s.look()).toEqual([[0, 3n]])
    expect(s.fronts.of('city', 0)).toBe(3n)
  })

  test('come after half a minute, however long one takes', async () => {
    const s = scene(60_000)
    s.ids(1000n)
    for (let n = 0; n < 3; n++) {
      await s.look()
      s.pass(1000)
    }
    s.mark(3n)
    s.pass(28_999)
    expect(await s.look()).toEqual([])
    s.pass(1)
    expect(await s.look()).toEqual([[0, 3n]])
  })

  test('come at once after Postgres was away, whose crash may bring back what was gone', async () => {
    const s = await longAgo()
    s.mark(3n)
    s.fronts.forget()
    expect(s.fronts.of('city', 0)).toBe(0n)
    expect(await s.look()).toEqual([[0, 3n]])
    // Nor is what was known of ids: the sequence may have gone back with the rest.
    s.pass(1000)
    s.done(3n)
    await s.look()
    expect(s.fronts.of('city', 0)).toBe(1000n)
  })
})
