import { describe, expect, test } from 'vitest'
import { batchesInFlight, InFlight, isTooBusy } from '../../src/sync/in-flight.ts'
import { a, bulk, dispatcher, idle, obstacle, take } from './open-dispatcher.ts'

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
    expect([1, 2, 8].map((concurrency) => batchesInFlight({ concurrency }))).toEqual([2, 4, 10])
  })

  test('are two of single edits beside bulk work where one takes long: those behind it do not wait', () => {
    let now = 0
    const flight = new InFlight(2, () => now)
    flight.began(1)
    flight.began(1)
    flight.began(0)
    now = 49
    expect(flight.isFree(0)).toBe(false)
    now = 50
    expect([flight.isFree(0), flight.isFree(1)]).toEqual([true, false])
    flight.began(0)
    now = 1_000
    expect(flight.isFree(0)).toBe(false)
    // The one that is stuck may well be the older of the two.
    flight.ended(0)
    expect(flight.isFree(0)).toBe(true)
  })

  test('are, of single edits behind one that is stuck, found a place for by the next poll', async () => {
    const clock = { now: 0 }
    const from = dispatcher(clock, 2)
    from.found([bulk])
    await take(from, 2)
    from.found([a, bulk])
    expect(await take(from, 1)).toEqual(['a0'])
    const second = from.next()
    clock.now = 50
    from.found([a, bulk])
    expect(await Promise.race([second, Promise.resolve('waits')])).toEqual(a)
  })

  test('are no second one of single edits while Elasticsearch is too busy for more than one', () => {
    let now = 0
    const flight = new InFlight(2, () => now)
    flight.refused()
    flight.began(1)
    flight.began(0)
    now = 1_000
    expect(flight.isFree(0)).toBe(false)
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
