import { expect, test } from 'vitest'
import { deleteFrom, initWorld } from '../integration/init-world.ts'
import { campus, filmRental, type Sample, shop } from '../support/samples/index.ts'

/** `init` on databases as people have them: what it wrote works as it is, and loses nothing. */

const cases: readonly (readonly [name: string, sample: Sample, deleted: readonly number[]])[] = [
  ['film rental', filmRental, [1, 2, 2]],
  ['shop', shop, [1, 2]],
  ['campus', campus, [2, 1]],
]

test.each(cases)('%s', { timeout: 240_000 }, async (_name, sample, deleted) => {
  const world = await initWorld(sample)
  try {
    await world.init()
    const daemon = await world.run()
    await world.complete()
    expect(Object.values(await deleteFrom(world, sample))).toEqual(deleted)
    await world.complete()

    // By content, too; and a second install finds that all is as the file wants it.
    expect(await world.place.sluice(['verify', '--deep'])).toMatchObject({ code: 0 })
    const again = await world.place.sluice(['install', '--dry-run'])
    expect(again.stdout).toContain('Nothing to do')
    daemon.process.kill('SIGTERM')
    expect(await daemon.ended).toMatchObject({ code: 0 })
  } finally {
    await world.drop()
  }
})
