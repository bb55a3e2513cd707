import { afterAll, beforeAll, expect, test } from 'vitest'
import { campus } from '../support/samples/index.ts'
import { type InitWorld, initWorld } from './init-world.ts'

/** What `init` proposes works as it is. test/full/init-samples.test.ts has the other databases. */

let world: InitWorld
beforeAll(async () => {
  world = await initWorld(campus)
})
afterAll(() => world?.drop())

test('what init wrote is installed and run without a touch: every row arrives, and a DELETE', {
  timeout: 240_000,
}, async () => {
  await world.init()
  const daemon = await world.run()
  await world.complete()
  await world.deleteSome()
  daemon.process.kill('SIGTERM')
  expect(await daemon.ended).toMatchObject({ code: 0 })
})
