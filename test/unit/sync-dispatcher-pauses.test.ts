import { describe, expect, test } from 'vitest'
import { a, b, bulk, dispatcher, idle, obstacle, take } from './open-dispatcher.ts'

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
