import { afterAll, beforeAll, expect, inject, test } from 'vitest'
import { loadCities } from '../../examples/cities/load.ts'
import { openStage, type Stage } from '../../examples/cities/stage.ts'
import { truth } from '../../examples/cities/truth.ts'
import { compare } from '../support/compare.ts'
import { eventually, type TestDatabase, testDatabase } from '../support/context.ts'

/** The demo's daemon, killed again and again; the demo's stage starts it anew each time. */

const CITIES = 20_000
const KILLS = 6

let database: TestDatabase
let stage: Stage

beforeAll(async () => {
  database = await testDatabase()
  await loadCities(database.url, { cities: CITIES })
  process.env.BATCH_SIZE = '200'
  stage = openStage({ postgresUrl: database.url, elasticsearchUrl: inject('elasticsearchUrl') })
})
afterAll(async () => {
  delete process.env.BATCH_SIZE
  await stage?.stopDaemon()
  await stage?.command('uninstall', '--yes')
  await database?.drop()
})

const count = async (query: string): Promise<number> => {
  const { rows } = await database.pool.query<{ n: number }>(query)
  return rows[0]?.n ?? 0
}

test('a daemon that is killed at any moment and started again ends with contents that agree', async () => {
  const { pool } = database
  expect(await stage.command('install')).toBe(0)
  stage.startDaemon()
  for (let kill = 1; kill <= KILLS; kill++) {
    // At another point of the backfill each time, with changes of every kind between.
    const point = Math.floor((CITIES * 0.8 * kill) / KILLS)
    await eventually(
      async () =>
        (await count('SELECT processed::integer AS n FROM sluice.sync_run ORDER BY id LIMIT 1')) >= point,
      { timeoutMs: 60_000, describe: `${point} documents backfilled` },
    )
    const pid = stage.daemonPid()
    if (pid === undefined) throw new Error('there is no daemon')
    process.kill(pid, 'SIGKILL')
    await pool.query('UPDATE geo.city SET name = name || $1 WHERE id % 97 = $2', [`*${kill}`, kill])
    await pool.query('UPDATE geo.city SET active = NOT active WHERE id % 101 = $1', [kill])
    await pool.query('DELETE FROM geo.city WHERE id % 499 = $1', [kill])
    await pool.query('UPDATE geo.city SET id = id + 1000000 WHERE id % 503 = $1', [kill])
    await eventually(() => stage.daemonPid() !== pid, { describe: 'another daemon' })
  }
  await eventually(
    async () =>
      (await count(`SELECT (SELECT count(*) FROM sluice.sync_queue)::integer
                         + (SELECT count(*) FROM sluice.sync_run WHERE state IN ('requested', 'running'))::integer AS n`)) ===
      0,
    { timeoutMs: 90_000, describe: 'an empty queue and a finished backfill' },
  )
  const result = await compare({ pool, elasticsearch: inject('elasticsearchUrl'), index: 'cities', truth })
  expect(result).toMatchObject({ missing: 0, stale: 0, extra: 0, examples: [] })
  expect(result.documents).toBeGreaterThan(CITIES * 0.9)
}, 300_000)
