import { expect, test } from 'vitest'
import { initWorld } from '../integration/init-world.ts'
import { campus, filmRental, shop } from '../support/samples/index.ts'

/** `init` on databases as people have them: what it wrote works as it is, and loses nothing. */

test.each([filmRental, shop, campus])('$name', { timeout: 240_000 }, async (sample) => {
  const world = await initWorld(sample)
  try {
    await world.init()
    const daemon = await world.run()
    await world.complete()
    await world.deleteSome()

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
