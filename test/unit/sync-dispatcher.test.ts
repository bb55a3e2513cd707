import { describe, expect, test } from 'vitest'
import { Dispatcher } from '../../src/sync/dispatcher.ts'
import { batchesInFlight, InFlight, isTooBusy } from '../../src/sync/in-flight.ts'
import { backoffDelay, pollDelay } from '../../src/sync/pacing.ts'

const a = { document: 'a', lane: 0 } as const
const b = { document: 'b', lane: 0 } as const
const bulk = { document: 'a', lane: 1 } as const
const obstacle = { scope: 'document', type: 'x', reason: 'because' } as const

function dispatcher(clock = { now: 0 }, concurrency = 100) {
  const made = new Dispatcher({ now: () => clock.now, random: () => 0, concurrency, trialMs: 1000 })
  made.open()
  return made
}

const take = async (from: Dispatcher, count: number) => {
  const taken: string[] = []
  for (let n = 0; n < count; n++) {
    const next = await from.next()
    taken.push(next === null ? 'null' : `${next.document}${next.lane}`)
  }
  return taken
}

/** True when a worker would have to wait now. */
const idle = (from: Dispatcher) =>
  Promise.race([from.next().then(() => false), Promise.resolve().then(() => true)])

describe('what is claimed next', () => {
  test('documents of a lane take turns', async () => {
    const from = dispatcher()
    from.found([a, b])
    expect(await take(from, 3)).toEqual(['a0', 'b0', 'a0'])
  })

  test('lane 0 goes first, lane 1 has its share', async () => {
    const from = dispatcher()
    from.found([a, bulk])
    expect(await take(from, 8)).toEqual(['a0', 'a0', 'a0', 'a1', 'a0', 'a0', 'a0', 'a1'])
  })

  test('lane 1 has everything when lane 0 is empty', async () => {
    const from = dispatcher()
    from.found([bulk])
    expect(await take(from, 3)).toEqual(['a1', 'a1', 'a1'])
  })

  test('an exhausted document is not claimed until it is found again', async () => {
    const from = dispatcher()
    from.found([a])
    from.exhausted(a)
    expect(await idle(from)).toBe(true)
  })

  test('a document that is gone is not claimed, nor one whose marks are in the other lane alone', async () => {
    const from = dispatcher()
    from.found([a, bulk, { document: 'b', lane: 1 }])
    from.found([b, bulk])
    expect(await take(from, 4)).toEqual(['b0', 'b0', 'b0', 'a1'])
    from.found([])
    expect(await idle(from)).toBe(true)
  })

  test('a parked mark is not claimed but in a trial', async () => {
    const from = dispatcher()
    const parked = { document: 'a', lane: 2 } as const
    from.found([parked])
    from.exhausted(parked)
    expect(await idle(from)).toBe(true)
  })

  test('each waiting worker gets one of what is found', async () => {
    const from = dispatcher()
    const workers = [from.next(), from.next()]
    from.found([a, b])
    expect(await Promise.all(workers)).toEqual([a, b])
  })

  test('nothing is handed out before the gate opens; then a waiting worker gets it', async () => {
    const from = new Dispatcher({ now: () => 0, random: () => 0, concurrency: 1, trialMs: 1000 })
    const next = from.next()
    from.found([a])
    expect([from.isOpen, await Promise.race([next, Promise.resolve('waits')])]).toEqual([false, 'waits'])
    from.open()
    expect([from.isOpen, await next]).toEqual([true, a])
    from.close()
    expect(from.isOpen).toBe(false)
  })

  test('a waiting worker gets what the end of a batch makes room for, and a trial at once', async () => {
    const from = dispatcher({ now: 0 }, 1)
    from.found([bulk])
    await take(from, 1)
    const next = from.next()
    from.ended(bulk)
    expect(await next).toEqual(bulk)
    const other = dispatcher()
    const trial = other.next()
    other.try('a', 'i')
    expect(await trial).toEqual({ document: 'a', lane: 2, target: 'i' })
  })

  test('a waiting worker gets what is found', async () => {
    const from = dispatcher()
    const next = from.next()
    from.found([b])
    expect(await next).toEqual(b)
  })

  test('nothing is handed out while the gate is closed', async () => {
    const from = dispatcher()
    from.close()
    from.found([a])
    expect(await idle(from)).toBe(true)
  })

  test('waiting workers are sent home when it stops', async () => {
    const from = dispatcher()
    const next = from.next()
    from.stop()
    expect(await next).toBeNull()
    expect(await from.next()).toBeNull()
  })
})

describe('a paused document', () => {
  test('is told, with why and since when it waits', () => {
    const clock = { now: 5 }
    const from = dispatcher(clock)
    from.pause('a', obstacle)
    clock.now = 9
    from.pause('a', obstacle)
    expect(from.pauses).toMatchObject([{ document: 'a', type: 'x', reason: 'because', attempt: 2, since: 5 }])
  })

  test('is none that only had a trial', () => {
    const from = dispatcher()
    from.tryAgain('a')
    expect(from.pauses).toEqual([])
  })

  test('is passed over, the others go on', async () => {
    const from = dispatcher()
    from.pause('a', obstacle)
    from.found([a, b])
    expect(await take(from, 2)).toEqual(['b0', 'b0'])
  })

  test('is tried by one worker alone when its time has come', async () => {
    const clock = { now: 0 }
    const from = dispatcher(clock)
    const pause = from.pause('a', obstacle)
    from.found([a])
    clock.now = pause.until
    expect(await take(from, 1)).toEqual(['a0'])
    expect(await idle(from)).toBe(true)
  })

  test('is tried once more at once when its trial only made room for another, and waits no less if that fails', async () => {
    const clock = { now: 0 }
    const from = dispatcher(clock)
    const pause = from.pause('a', obstacle)
    from.found([a])
    clock.now = pause.until
    expect(await take(from, 1)).toEqual(['a0'])
    from.tryAgain('a')
    expect(await take(from, 1)).toEqual(['a0'])
    expect(from.pause('a', obstacle)).toMatchObject({ attempt: 2 })
  })

  test('waits longer each time, and starts anew once it recovered', () => {
    const from = dispatcher()
    const first = from.pause('a', obstacle)
    const second = from.pause('a', obstacle)
    expect(second.until).toBeGreaterThan(first.until)
    expect(from.recovered('a')).toEqual(second)
    expect(from.pause('a', obstacle)).toEqual(first)
  })

  test('ends when its time has come and others have done what it had, and not while there are marks', () => {
    const clock = { now: 0 }
    const from = dispatcher(clock)
    const pause = from.pause('a', obstacle)
    from.found([bulk])
    clock.now = pause.until
    expect(from.rested('a')).toBe(undefined)
    from.found([])
    clock.now = pause.until - 1
    expect(from.rested('a')).toBe(undefined)
    clock.now = pause.until
    expect(from.rested('a')).toEqual(pause)
    expect(from.pauses).toEqual([])
    expect(from.rested('a')).toBe(undefined)
  })

  test('waits a second at most while each batch brings something through', () => {
    const from = dispatcher()
    const moving = Array.from({ length: 10 }, () => from.pause('a', obstacle, { moving: true }))
    expect(moving.map(({ attempt }) => attempt)).toEqual([1, 2, 3, 3, 3, 3, 3, 3, 3, 3])
    expect(Math.max(...moving.map(({ until }) => until))).toBeLessThanOrEqual(1_000)
    expect(from.pause('a', obstacle)).toMatchObject({ attempt: 4 })
    expect(from.pause('a', obstacle)).toMatchObject({ attempt: 5 })
    expect(from.pause('a', obstacle, { moving: true })).toMatchObject({ attempt: 3, since: 0 })
  })
})

describe('a trial of a blocked index', () => {
  test('goes to one worker, before everything else', async () => {
    const from = dispatcher()
    from.found([b])
    from.try('a', 'a-1')
    from.try('a', 'a-1')
    expect(await from.next()).toEqual({ document: 'a', lane: 2, target: 'a-1' })
    expect(await take(from, 1)).toEqual(['b0'])
  })

  test('does not wait for its document, which may wait for another index', async () => {
    const from = dispatcher()
    from.pause('a', obstacle)
    from.try('a', 'a-1')
    expect(await take(from, 1)).toEqual(['a2'])
  })

  test('is in flight as any batch', async () => {
    const from = dispatcher({ now: 0 }, 1)
    from.found([bulk])
    from.try('a', 'a-1')
    await take(from, 1)
    expect(await idle(from)).toBe(true)
    from.ended({ document: 'a', lane: 2 })
  })

  test('waits for the gate', async () => {
    const from = dispatcher()
    from.close()
    from.try('a', 'a-1')
    expect(await idle(from)).toBe(true)
  })
})

describe.each([1, 2])('with %i places', (places) => {
  const full = async () => {
    const from = dispatcher({ now: 0 }, places)
    from.found([bulk])
    await take(from, places)
    return from
  }

  test('single edits have one more, and do not wait for bulk work', async () => {
    const from = await full()
    expect(await idle(from)).toBe(true)
    from.stop()
    const other = await full()
    other.found([a, bulk])
    expect(await take(other, 1)).toEqual(['a0'])
    expect(await idle(other)).toBe(true)
  })

  test('bulk work leaves them a place at Elasticsearch, for a second after the last', async () => {
    const clock = { now: 0 }
    const from = dispatcher(clock, places)
    from.found([bulk, a])
    expect(from.bulkRequests).toBe(places)
    expect(await take(from, 1)).toEqual(['a0'])
    clock.now = 999
    expect(from.bulkRequests).toBe(1)
    clock.now = 1_000
    expect(from.bulkRequests).toBe(places)
  })

  test('bulk work goes on when either ends', async () => {
    const from = await full()
    from.found([a, bulk])
    await take(from, 1)
    from.exhausted(a)
    from.ended(bulk)
    from.ended(a)
    expect(await take(from, 1)).toEqual(['a1'])
  })
})

describe('while Elasticsearch is too busy', () => {
  const busy = { scope: 'document', type: 'rejected_execution_exception', reason: 'queue is full' } as const

  test('fewer batches are in flight: half of them after each refusal, one at least', async () => {
    const from = dispatcher({ now: 0 }, 4)
    from.found([a])
    await take(from, 4)
    from.obstructed(busy)
    for (let n = 0; n < 4; n++) from.ended(a)
    expect(await take(from, 2)).toEqual(['a0', 'a0'])
    expect(await idle(from)).toBe(true)
  })

  test('one more is in flight after twenty good answers', async () => {
    const from = dispatcher({ now: 0 }, 2)
    from.found([a])
    from.obstructed(busy)
    from.obstructed(busy)
    expect(await take(from, 1)).toEqual(['a0'])
    const second = from.next()
    for (let n = 0; n < 19; n++) from.recovered('a')
    from.found([a])
    expect(await Promise.race([second.then(() => 'taken'), Promise.resolve('waits')])).toBe('waits')
    from.recovered('a')
    from.found([a])
    expect(await second).toEqual(a)
  })

  test('another kind of obstacle changes nothing', async () => {
    const from = dispatcher({ now: 0 }, 2)
    from.found([a])
    from.obstructed(obstacle)
    expect(await take(from, 2)).toEqual(['a0', 'a0'])
  })
})

test.each([
  [1, 0, 125],
  [1, 0.999, 249.875],
  [2, 0, 250],
  [8, 0, 15_000],
  [1000, 0.5, 22_500],
])('backoff after %i failures with random %f is %f ms', (attempt, random, expected) => {
  expect(backoffDelay(attempt, random)).toBe(expected)
})

test.each([
  [50, 0, 1_010, 50],
  [50, 9_999, 1_010, 50],
  [50, 10_000, 1_000, 251],
  [50, 10_000, 1_010, 241],
  [50, 10_000, 1_249.5, 2],
  [1000, 10_000, 1_010, 1000],
])('polling at %i ms after %i idle ms waits, at %f ms, %i ms', (interval, idleMs, nowMs, expected) => {
  expect(pollDelay(interval, idleMs, nowMs)).toBe(expected)
})

describe('batches in flight', () => {
  test('are bulk work up to the limit, and one of single edits besides', () => {
    const flight = new InFlight(1, () => 0)
    flight.began(0)
    expect([flight.isFree(0), flight.isFree(1)]).toEqual([false, false])
    // What ends makes room for its own kind.
    flight.ended(0)
    flight.began(1)
    expect([flight.isFree(0), flight.isFree(1)]).toEqual([true, false])
    flight.ended(1)
    flight.began(1)
    expect([flight.isFree(0), flight.isFree(1)]).toEqual([true, false])
    expect(batchesInFlight({ concurrency: 2 })).toBe(3)
  })

  test('are never more than CONCURRENCY, however good the answers, and rise by one after twenty', () => {
    const flight = new InFlight(2, () => 1_000_000)
    for (let n = 0; n < 100; n++) flight.answered()
    expect(flight.bulkRequests).toBe(2)
    flight.refused()
    const limits = Array.from({ length: 60 }, () => {
      flight.answered()
      return flight.bulkRequests
    })
    expect([limits.indexOf(2), limits.at(-1)]).toEqual([19, 2])
  })

  test('begin to count good answers anew after each refusal', () => {
    const flight = new InFlight(4, () => 1_000_000)
    flight.refused()
    for (let n = 0; n < 19; n++) flight.answered()
    flight.refused()
    for (let n = 0; n < 19; n++) flight.answered()
    expect(flight.bulkRequests).toBe(1)
  })

  test.each([
    ['rejected_execution_exception', true],
    ['circuit_breaking_exception', true],
    ['http_429', true],
    ['unavailable_shards_exception', true],
    ['no_shard_available_action_exception', true],
    ['http_503', true],
    ['http_502', false],
  ])('%s says that there are too many: %s', (type, busy) => {
    expect(isTooBusy({ type })).toBe(busy)
  })
})
