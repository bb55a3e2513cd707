import { beforeEach, describe, expect, it } from 'vitest'
import { Absences } from '../../src/sync/absences.ts'

describe('servers that are away', () => {
  let now: number
  let absences: Absences
  beforeEach(() => {
    now = 1_000
    absences = new Absences({ now: () => now, random: () => 1 })
  })

  it('are told with the reason of now, and since when the first of them is away', () => {
    expect([absences.none, absences.current]).toEqual([true, null])
    expect(absences.gone('elasticsearch', 'refused')).toBe(0)
    now += 500
    absences.gone('elasticsearch', '503')
    now += 500
    absences.gone('postgres', 'shutting down')
    expect(absences.current).toEqual({ reason: '503', forMs: 1_000 })
    absences.back('elasticsearch')
    now += 100
    expect(absences.current).toEqual({ reason: 'shutting down', forMs: 100 })
    absences.back('postgres')
    expect(absences.none).toBe(true)
  })

  it('and come back without serving were away all along, and are probed ever more rarely, up to every five seconds', () => {
    const delays = Array.from({ length: 8 }, () => {
      const delay = absences.gone('postgres', 'disk full')
      now += 10
      absences.back('postgres')
      return delay
    })
    expect(delays).toEqual([0, 250, 500, 1_000, 2_000, 4_000, 5_000, 5_000])
    absences.gone('postgres', 'disk full')
    expect(absences.current).toEqual({ reason: 'disk full', forMs: 80 })
  })

  it('begin anew once a batch was settled, or long after they came back', () => {
    absences.gone('postgres', 'disk full')
    absences.back('postgres')
    absences.served()
    now += 10
    expect(absences.gone('postgres', 'disk full')).toBe(0)
    expect(absences.current).toEqual({ reason: 'disk full', forMs: 0 })
    absences.back('postgres')
    now += 10_000
    expect(absences.gone('postgres', 'disk full')).toBe(0)
  })

  it('are not confused with each other', () => {
    absences.gone('postgres', 'disk full')
    absences.back('postgres')
    expect(absences.gone('elasticsearch', 'refused')).toBe(0)
    expect(absences.gone('postgres', 'disk full')).toBe(250)
  })

  it('are told by name', () => {
    absences.gone('postgres', 'disk full')
    expect([absences.has('postgres'), absences.has('elasticsearch'), absences.none]).toEqual([
      true,
      false,
      false,
    ])
    absences.back('elasticsearch')
    absences.back('postgres')
    expect([absences.has('postgres'), absences.none]).toEqual([false, true])
    expect(absences.gone('elasticsearch', 'refused')).toBe(0)
  })

  it('are told by the one that is away for longest, although it was told last', () => {
    absences.gone('elasticsearch', 'refused')
    absences.back('elasticsearch')
    now += 10
    absences.gone('postgres', 'disk full')
    now += 10
    absences.gone('elasticsearch', 'refused')
    expect(absences.current).toEqual({ reason: 'refused', forMs: 20 })
  })

  it('and stay away are looked at no more rarely because they are looked at often', () => {
    absences.gone('postgres', 'disk full')
    absences.back('postgres')
    expect(absences.gone('postgres', 'disk full')).toBe(250)
    for (let n = 0; n < 5; n++) expect(absences.gone('postgres', 'still')).toBe(0)
    absences.back('postgres')
    expect(absences.gone('postgres', 'disk full')).toBe(500)
  })
})
