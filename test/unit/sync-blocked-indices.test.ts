import { describe, expect, test } from 'vitest'
import { building, live, memory, parkedFor, target } from './daemon-memory.ts'

describe('what is done about parked keys', () => {
  test('it is told once that an index is blocked, and why as it is known', () => {
    const { clock, told, known } = memory()
    known.next(parkedFor('building'))
    expect(known.all).toEqual([
      expect.objectContaining({
        document: 'd',
        index: 'building',
        type: 'parked',
        reason: 'it was found so before, and has not been tried since',
      }),
    ])
    known.trialEnded('building', null)
    expect(told).toEqual([])
    for (let n = 0; n < 2; n++) {
      known.trialEnded('building', { type: 'closed', reason: 'why' })
      known.refused('d', building, { type: 'closed', reason: 'why' })
      clock.now += 10_000
    }
    expect(told).toEqual(['blocked building'])
    known.took('building')
    known.took('building')
    expect(told).toEqual(['blocked building', 'free building'])
  })

  test('a trial without any answer makes the wait no longer', () => {
    const { clock, known } = memory()
    known.refused('d', building, { type: 'closed', reason: 'why' })
    for (let n = 0; n < 3; n++) {
      clock.now += 125
      expect(known.next(parkedFor('building'))).toBe('try')
      known.trialEnded('building', null)
    }
    known.trialEnded('building', { type: 'closed', reason: 'why' })
    clock.now += 249
    expect(known.next(parkedFor('building'))).toBe('wait')
  })

  test('release goes on while there are any, and another index’s end is not its own', () => {
    const { known } = memory()
    for (const each of [live, building]) {
      known.refused('d', each, { type: 'closed', reason: 'why' })
      known.took(each.index)
    }
    known.parked(new Set(['building']))
    expect(known.next(parkedFor('building'))).toBe('release')
    expect(known.next(parkedFor('live'))).toBe('try')
  })

  test('a trial when the time has come, later each time it is refused', () => {
    const { clock, known } = memory()
    known.refused('d', building, { type: 'closed', reason: 'why' })
    expect(known.next(parkedFor('building'))).toBe('wait')
    clock.now = 125
    expect(known.next(parkedFor('building'))).toBe('try')
    expect(known.next(parkedFor('building'))).toBe('wait')
    known.trialEnded('building', { type: 'closed', reason: 'still' })
    clock.now += 249
    expect(known.next(parkedFor('building'))).toBe('wait')
    clock.now += 1
    expect(known.next(parkedFor('building'))).toBe('try')
    expect(known.all).toMatchObject([{ reason: 'still' }])
  })

  test('refusals of batches that were under way together count once', () => {
    const { clock, known } = memory()
    for (let n = 0; n < 5; n++) known.refused('d', building, { type: 'closed', reason: 'why' })
    clock.now = 125
    expect(known.next(parkedFor('building'))).toBe('try')
  })

  test('release when a trial succeeded, until none is left', () => {
    const { clock, known } = memory()
    known.refused('d', building, { type: 'closed', reason: 'why' })
    clock.now = 125
    known.next(parkedFor('building'))
    known.took('building')
    known.trialEnded('building', null)
    expect(known.next(parkedFor('building'))).toBe('release')
    known.parked(new Set())
    expect(known.next(parkedFor('building'))).toBe('try')
  })

  test('later each time, where an index takes the trial and refuses what is released', () => {
    const { clock, known } = memory()
    for (const pause of [125, 250, 500]) {
      known.refused('d', building, { type: 'full', reason: 'too many fields' })
      clock.now += pause - 1
      expect(known.next(parkedFor('building'))).toBe('wait')
      clock.now += 1
      expect(known.next(parkedFor('building'))).toBe('try')
      known.took('building')
      expect(known.next(parkedFor('building'))).toBe('release')
    }
    known.parked(new Set())
    known.refused('d', building, { type: 'full', reason: 'too many fields' })
    clock.now += 125
    expect(known.next(parkedFor('building'))).toBe('try')
  })

  test('a trial at once where this daemon knows of nothing, and meanwhile it parks as well', () => {
    const { known, told } = memory()
    expect(known.next(parkedFor('building', '12:00'))).toBe('try')
    expect(known.holds(target('building', '12:00'))).toBe(true)
    expect(told).toEqual([])
    known.trialEnded('building', { type: 'closed', reason: 'why' })
    expect(told).toEqual(['blocked building'])
  })

  test('release when another daemon did', () => {
    const { known, told } = memory()
    known.refused('d', building, { type: 'closed', reason: 'why' })
    expect(known.holds(target('building', '12:00'))).toBe(false)
    expect(known.next(parkedFor('building', '12:00'))).toBe('release')
    expect(told).toEqual(['blocked building', 'free building'])
  })

  test('nothing, where none is parked: the next batch finds out', () => {
    const { clock, known } = memory()
    known.refused('d', building, { type: 'closed', reason: 'why' })
    known.parked(new Set())
    expect(known.holds(building)).toBe(true)
    clock.now = 125
    known.parked(new Set())
    expect(known.holds(building)).toBe(false)
  })
})
