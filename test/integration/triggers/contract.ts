import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import type { TriggerCase } from './case.ts'
import { statements } from './statements.ts'
import { structure } from './structure.ts'
import { type TriggerWorld, triggerWorld } from './world.ts'

/** Every statement and every change of structure, on these versions of Postgres. */
export function describeTriggers(versions: readonly number[]): void {
  describe.each(versions)('Postgres %i', (version) => {
    let world: TriggerWorld
    beforeAll(async () => {
      world = await triggerWorld(version)
    })
    afterAll(() => world?.drop())

    const cases = (all: readonly TriggerCase[]) => all.filter(({ since = 0 }) => since <= version)

    it.each(cases([...statements, ...structure]))('$name', async (item) => {
      const { marks, error = null, install = [], gaps = [], check = [] } = item
      const structural = structure.includes(item)
      expect(await world.run(item, structural)).toEqual({ marks, error, install, gaps })
      if (structural) expect(await world.check(item)).toEqual(check)
    })

    it('nothing has to be done in the end', async () => {
      expect(await world.toldOfAll()).toEqual([])
    })
  })
}
