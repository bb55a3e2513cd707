import { describe, expect, test } from 'vitest'
import { Dispatcher } from '../../src/sync/dispatcher.ts'
import { a, b, bulk, dispatcher, idle, obstacle, take } from './open-dispatcher.ts'

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
