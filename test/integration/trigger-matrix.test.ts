import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import type { TriggerCase } from './triggers/case.ts'
import { statements } from './triggers/statements.ts'
import { structure } from './triggers/structure.ts'
import { type TriggerWorld, triggerWorld } from './triggers/world.ts'

describe.each([15, 16, 17, 18])('Postgres %i', (version) => {
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
