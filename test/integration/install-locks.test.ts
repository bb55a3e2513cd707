import pg from 'pg'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { eventually } from '../support/eventually.ts'
import { type InstallWorld, installWorld } from './install-world.ts'

let world: InstallWorld

beforeAll(async () => {
  world = await installWorld()
  await world.database.pool.query(
    'CREATE TABLE city (id int PRIMARY KEY, name text); INSERT INTO city SELECT i, i::text FROM generate_series(1, 100) i',
  )
})
afterAll(() => world.drop())

type OnWait = (message: string) => void
const installed = (onWait: OnWait) =>
  world.install({ city: { table: 'city', index: `${world.server.prefix}cities` } }, { onWait })

/** A session of the application, whose statements fail when a lock keeps them for longer than nobody would notice. */
async function application<T>(run: (client: pg.Client) => Promise<T>): Promise<T> {
  const client = new pg.Client({ connectionString: world.database.url, application_name: 'shop' })
  await client.connect()
  try {
    await client.query("SET lock_timeout = '5s'")
    return await run(client)
  } finally {
    await client.end()
  }
}

// In this order: each begins where the one before it ended.
describe('while a long transaction of the application has written to the table', () => {
  it.each<[what: string, before: string, act: (onWait: OnWait) => Promise<unknown>]>([
    ['a first install', 'SELECT', installed],
    ['a repair', 'ALTER TABLE city DISABLE TRIGGER sluice_city_insert', installed],
    ['detach', 'SELECT', () => world.value("SELECT sluice.detach('city')")],
    ['an install after detach', 'SELECT', installed],
    ['uninstall', 'SELECT', () => world.uninstall()],
  ])('%s waits, and lets others write', async (_, before, act) => {
    await world.database.pool.query(before)
    const waits: string[] = []
    await application(async (long) => {
      await long.query("BEGIN; UPDATE city SET name = 'long' WHERE id = 1")
      let ended = false
      const acting = act((message) => waits.push(message)).finally(() => {
        ended = true
      })
      await eventually(async () => {
        expect(
          await world.value(
            "SELECT count(*)::int FROM pg_locks WHERE NOT granted AND relation = 'city'::regclass",
          ),
        ).toBe(1)
      })
      await application(async (other) => {
        for (let id = 2; id <= 100; id++) {
          await other.query('UPDATE city SET name = $2 WHERE id = $1', [id, `${id}!`])
        }
      })
      expect(ended).toBe(false)
      await long.query('COMMIT')
      await acting
    })
    for (const message of waits) {
      expect(message).toMatch(
        /waiting for a lock on "public"\."city": held by .*pid \d+ \(shop, idle in transaction/,
      )
    }
  })
})
