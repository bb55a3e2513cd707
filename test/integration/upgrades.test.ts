import pg from 'pg'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { eventually } from '../support/context.ts'
import { type CommandWorld, commandWorld, type Started } from './cli-support.ts'

/** docs/upgrading.md: a schema and a program that are not of the same release. */

let world: CommandWorld
beforeAll(async () => {
  world = await commandWorld()
  await world.db.pool.query('CREATE TABLE item (id int PRIMARY KEY, name text)')
  const item = { table: 'item', index: `${world.search.prefix}items` }
  await world.place.write('sluice.config.json', JSON.stringify({ documents: { item } }))
  expect((await world.place.sluice(['install'])).code).toBe(0)
})
afterAll(() => world.drop())

async function indexed(id: number): Promise<unknown> {
  const answer = await world.search.request('GET', `/${world.search.prefix}items/_doc/${id}`)
  return (answer as { _source?: { name: unknown } })._source?.name
}
const write = (id: number, text: string) =>
  world.db.pool.query(
    'INSERT INTO item VALUES ($1, $2) ON CONFLICT (id) DO UPDATE SET name = excluded.name',
    [id, text],
  )
const arrived = (id: number, text: string, daemon: Started) =>
  eventually(async () => expect(await indexed(id)).toBe(text), { describe: () => daemon.output() })

test('a newer program over an older schema waits, says to migrate, and goes on when that is done', async () => {
  const { db, place } = world
  await db.pool.query(`DELETE FROM sluice.sync_migration WHERE name = '0009_views'`)
  const refused = await place.sluice(['status'])
  expect(refused).toMatchObject({
    code: 2,
    stderr: expect.stringMatching(
      /it is older than this sluice: 0009_views not applied\n {2}→ Run sluice migrate/,
    ),
  })
  // Triggers of the older release go on marking.
  await write(1, 'before')
  const daemon = place.start(['run'])
  await eventually(() => daemon.output().includes('Run sluice migrate'), { describe: () => daemon.output() })
  expect(await indexed(1)).toBeUndefined()
  await db.pool.query(`INSERT INTO sluice.sync_migration (name, run_on) VALUES ('0009_views', now())`)
  await arrived(1, 'before', daemon)
  daemon.process.kill('SIGTERM')
  expect((await daemon.ended).code).toBe(0)
})

test('an older daemon that has lost the server over a newer schema ends as another one that begins does', async () => {
  const { db, place } = world
  const old = place.start(['run'])
  await write(3, 'running')
  await arrived(3, 'running', old)
  await db.pool.query(`INSERT INTO sluice.sync_migration (name, run_on) VALUES ('9999_future', now())`)
  // Nobody gets in, as while a server restarts.
  const name = new URL(db.url).pathname.slice(1)
  const admin = new pg.Client(Object.assign(new URL(db.url), { pathname: '/postgres' }).href)
  await admin.connect()
  try {
    await admin.query(`ALTER DATABASE ${name} ALLOW_CONNECTIONS false`)
    await admin.query(
      `SELECT pg_terminate_backend(pid) FROM pg_stat_activity
        WHERE datname = $1 AND application_name LIKE 'sluice %'`,
      [name],
    )
    await eventually(() => old.output().includes('not currently accepting connections'), {
      describe: () => old.output(),
    })
    expect(old.process.exitCode).toBeNull()
  } finally {
    await admin.query(`ALTER DATABASE ${name} ALLOW_CONNECTIONS true`)
    await admin.end()
  }
  await write(3, 'between')
  const { code, stdout, stderr } = await old.ended
  expect({ code, said: stdout + stderr }).toEqual({
    code: 2,
    said: expect.stringMatching(/9999_future.*Upgrade sluice: a newer version has migrated this schema/s),
  })
  expect(await indexed(3)).toBe('running')
  await db.pool.query(`DELETE FROM sluice.sync_migration WHERE name = '9999_future'`)
  const upgraded = place.start(['run'])
  await arrived(3, 'between', upgraded)
  upgraded.process.kill('SIGTERM')
  expect((await upgraded.ended).code).toBe(0)
})

test('an older daemon goes on over a newer schema, and another one does not begin; nothing is lost', async () => {
  const { db, place } = world
  const old = place.start(['run'])
  await write(2, 'running')
  await arrived(2, 'running', old)

  await db.pool.query(`INSERT INTO sluice.sync_migration (name, run_on) VALUES ('9999_future', now())`)
  await write(2, 'migrated')
  await arrived(2, 'migrated', old)
  old.process.kill('SIGTERM')
  expect((await old.ended).code).toBe(0)

  const { code, stdout, stderr } = await place.sluice(['run'])
  expect({ code, said: stdout + stderr }).toEqual({ code: 2, said: expect.stringContaining('9999_future') })

  // What is written meanwhile is marked, and the upgraded daemon does it.
  await write(2, 'between')
  await db.pool.query(`DELETE FROM sluice.sync_migration WHERE name = '9999_future'`)
  const upgraded = place.start(['run'])
  await arrived(2, 'between', upgraded)
  upgraded.process.kill('SIGTERM')
  expect((await upgraded.ended).code).toBe(0)
})
