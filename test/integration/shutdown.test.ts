import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from 'vitest'
import { eventually } from '../support/context.ts'
import { type Started, type Workspace, workspace } from './cli-support.ts'
import { type Gate, type InstancesWorld, instancesWorld, startGate } from './instances-world.ts'

/** How `sluice run` ends while a request of it is on the way and is not answered. */

let world: InstancesWorld
beforeAll(async () => {
  world = await instancesWorld()
  const collector = world.start('collector')
  await world.settled()
  await world.stop(collector)
})
afterAll(() => world.drop())

describe('a daemon whose request is not answered', () => {
  let gate: Gate
  let place: Workspace
  let daemon: Started
  let id = 0
  const begin = async (settings: Readonly<Record<string, string>>) => {
    id += 1
    daemon = place.start(['run'], settings)
    gate.shut()
    await world.sql('INSERT INTO item VALUES ($1, $2)', [id, 'new'])
    // A run's marks may be on their way beside it.
    await eventually(() => gate.held >= 1, { describe: () => `its request on the way: ${daemon.output()}` })
  }
  const marks = async () => {
    const { rows } = await world.database.pool.query('SELECT FROM sluice.sync_queue')
    return rows.length
  }
  beforeEach(async () => {
    gate = await startGate(world.server.url)
    place = await workspace({
      DATABASE_URL: world.database.url,
      ELASTICSEARCH_URL: gate.url,
      LOG_LEVEL: 'info',
    })
    await place.write('sluice.config.json', JSON.stringify({ documents: { item: world.definition } }))
  })
  afterEach(async () => {
    await place.remove()
    await gate.close()
    await world.sql('TRUNCATE sluice.sync_queue, sluice.sync_run')
  })

  test('waits for the answer: SIGTERM drains', async () => {
    await begin({})
    daemon.process.kill('SIGTERM')
    await eventually(() => daemon.output().includes('draining'))
    await gate.open()
    expect((await daemon.ended).code).toBe(0)
    expect(await marks()).toBe(0)
  })

  test('gives its marks back after SHUTDOWN_TIMEOUT, however long a request may take', async () => {
    await begin({ SHUTDOWN_TIMEOUT: '300', REQUEST_TIMEOUT: '60000' })
    daemon.process.kill('SIGTERM')
    expect((await daemon.ended).code).toBe(0)
    expect(await marks()).toBe(1)
  })

  test('releases the run it carries, and says so', async () => {
    expect((await place.sluice(['backfill', 'item', '--no-wait'])).code).toBe(0)
    await begin({})
    await eventually(() => daemon.output().includes('run begins'))
    daemon.process.kill('SIGTERM')
    await eventually(() => daemon.output().includes('draining'))
    await gate.open()
    expect((await daemon.ended).stdout).toContain('"outcome":"released"')
    const runs = await world.database.pool.query(
      'SELECT state, worker FROM sluice.sync_run ORDER BY id DESC LIMIT 1',
    )
    expect(runs.rows).toEqual([{ state: 'running', worker: null }])
  })

  test('ends at once at a second signal, and its marks are back', async () => {
    await begin({ SHUTDOWN_TIMEOUT: '60000', REQUEST_TIMEOUT: '60000' })
    daemon.process.kill('SIGTERM')
    await eventually(() => daemon.output().includes('draining'))
    expect(daemon.output()).not.toContain('ending at once')
    daemon.process.kill('SIGTERM')
    expect((await daemon.ended).code).toBe(1)
    await eventually(async () => expect(await marks()).toBe(1))
  })
})
