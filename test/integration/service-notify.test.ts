import { afterAll, beforeAll, expect, test } from 'vitest'
import { eventually } from '../support/eventually.ts'
import { type NotifyListener, notifyListener } from '../support/notify-listener.ts'
import { type CommandWorld, commandWorld } from './cli-support.ts'

/** What systemd hears of `sluice run`. */

let world: CommandWorld
let systemd: NotifyListener
beforeAll(async () => {
  world = await commandWorld()
  systemd = await notifyListener()
  await world.db.pool.query('CREATE TABLE item (id bigint PRIMARY KEY)')
  const item = { table: 'item', index: `${world.search.prefix}items` }
  await world.place.write('sluice.config.json', JSON.stringify({ documents: { item } }))
})
afterAll(async () => {
  await world.drop()
  await systemd.remove()
})

test('a start waits for the schema, the watchdog is fed by looks at the queue, a stop is told', async () => {
  // A tenth of a second between two ticks.
  const daemon = world.place.start(['run'], { ...systemd.env, WATCHDOG_USEC: '300000' })
  const heard = () => systemd.heard()
  await eventually(async () => expect(await heard()).toContain('EXTEND_TIMEOUT_USEC=300000'), {
    describe: daemon.output,
  })
  const waiting = await heard()
  expect(waiting[0]).toMatch(/^STATUS=waiting: .*sluice migrate/)
  expect(waiting).not.toContain('READY=1')

  expect((await world.place.sluice(['install', '--no-backfill'])).code).toBe(0)
  const beats = async () => (await heard()).filter((line) => line === 'WATCHDOG=1').length
  await eventually(async () => (await beats()) > 2, { describe: heard })
  expect(await heard()).toEqual(expect.arrayContaining(['READY=1', 'STATUS=running']))

  // A poll that waits in Postgres is no look that has ended: no beat comes but one on its way, and that of the look before.
  const blocker = await world.db.pool.connect()
  try {
    await blocker.query('BEGIN')
    await blocker.query('LOCK TABLE sluice.sync_queue IN ACCESS EXCLUSIVE MODE')
    await eventually(async () => {
      const { rows } = await world.db.pool.query(
        "SELECT FROM pg_locks WHERE NOT granted AND relation = 'sluice.sync_queue'::regclass",
      )
      return rows.length > 0
    })
    const before = await beats()
    // Ten ticks of the database's clock.
    await blocker.query('SELECT pg_sleep(1)')
    expect(await beats()).toBeLessThanOrEqual(before + 2)
    await blocker.query('ROLLBACK')
    await eventually(async () => (await beats()) > before + 2, { describe: heard })
  } finally {
    blocker.release(true)
  }

  daemon.process.kill('SIGTERM')
  expect((await daemon.ended).code).toBe(0)
  const said = await heard()
  expect(said.slice(said.indexOf('STOPPING=1'))).toEqual(
    expect.arrayContaining([
      'STOPPING=1',
      'EXTEND_TIMEOUT_USEC=45000000',
      'STATUS=draining',
      'STATUS=stopped',
    ]),
  )
})
