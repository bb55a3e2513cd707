import type { FalseClock } from '../support/false-clock.ts'
import type { Disturber } from './disturber.ts'

/** Seconds from the truth: what a time server puts right, a time zone mistaken, a machine that was asleep. */
const OFFSETS = [-3_600, -30, -2, 0, 2, 30, 3_600, 86_400] as const

interface Clocks {
  readonly postgres: FalseClock
  readonly daemons: FalseClock
}

/** The database's clock, or that of the daemons' machine, is set. */
export function steppedClocks(clocks: Clocks): Disturber {
  return {
    name: 'clocks',
    every: [3_000, 10_000],
    disturb: async (choices) => {
      const whose = choices.pick(['postgres', 'daemons'] as const)
      const offset = choices.pick(OFFSETS)
      clocks[whose].set(offset)
      return `${whose} ${offset} s`
    },
    heal: async () => {
      clocks.postgres.set(0)
      clocks.daemons.set(0)
    },
  }
}
