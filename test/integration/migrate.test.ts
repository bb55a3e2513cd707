import pg from 'pg'
import { afterEach, beforeEach, describe, expect, inject, test } from 'vitest'
import { ConfigError, SchemaError, UnreachableError } from '../../src/errors.ts'
import { checkSchema, migrate } from '../../src/postgres/migrate.ts'
import { type TestDatabase, testDatabase } from '../support/context.ts'

const all = [
  '0001_tables',
  '0002_versions',
  '0003_queue',
  '0004_failures',
  '0005_documents',
  '0006_log',
  '0007_tokens',
  '0008_grants',
  '0009_views',
]
let db: TestDatabase
beforeEach(async () => {
  db = await testDatabase()
})
afterEach(() => db.drop())

test('migrations are applied once, in order, when four instances start at once', async () => {
  const applied = await Promise.all([1, 2, 3, 4].map(() => migrate(db.url, 'sluice')))
  expect(applied.flat()).toEqual(all)
  await checkSchema(db.pool, 'sluice')
  expect(await migrate(db.url, 'sluice')).toEqual([])
})

test('a schema can have any name without quotes, and two live side by side', async () => {
  for (const schema of ['Our Sluice', 'ünï.cödé; --%s$1']) {
    expect(await migrate(db.url, schema)).toEqual(all)
    await checkSchema(db.pool, schema)
  }
})

test.each(['', 'a"b', "a'b", 'a\\b', 'pg_mine', 'x'.repeat(64)])('the name %j is refused', async (schema) => {
  await expect(migrate(db.url, schema)).rejects.toThrow(ConfigError)
})

describe('the schema is checked', () => {
  test('missing: says to migrate', async () => {
    await expect(checkSchema(db.pool, 'sluice')).rejects.toMatchObject({
      message: expect.stringContaining('not there'),
      remedy: expect.stringContaining('sluice migrate'),
      final: false,
    })
  })

  test('older: names what is missing', async () => {
    await migrate(db.url, 'sluice')
    await db.pool.query("DELETE FROM sluice.sync_migration WHERE name = '0009_views'")
    await expect(checkSchema(db.pool, 'sluice')).rejects.toThrow(/older .*0009_views/)
  })

  test('newer: refused for good, by the daemon and by migrate', async () => {
    await migrate(db.url, 'sluice')
    await db.pool.query("INSERT INTO sluice.sync_migration (name, run_on) VALUES ('0099_future', now())")
    for (const refused of [checkSchema(db.pool, 'sluice'), migrate(db.url, 'sluice')]) {
      await expect(refused).rejects.toMatchObject({
        message: expect.stringMatching(/0099_future.*up to 0009_views/),
        remedy: expect.stringContaining('Upgrade sluice'),
        final: true,
      })
      await expect(refused).rejects.toBeInstanceOf(SchemaError)
    }
  })
})

describe('a role that is no superuser', () => {
  const role = `sluice_role_${process.pid}`
  const asRole = () => Object.assign(new URL(db.url), { username: role, password: 'secret' }).href
  const onServer = async (text: string) => {
    const client = new pg.Client(inject('postgresUrl'))
    await client.connect()
    await client.query(text)
    await client.end()
  }
  beforeEach(() => onServer(`CREATE ROLE ${role} LOGIN PASSWORD 'secret'`))
  afterEach(async () => {
    await db.pool.query(`DROP OWNED BY ${role}`)
    await onServer(`DROP ROLE ${role}`)
  })

  test('migrates with CREATE on the database', async () => {
    await db.pool.query(`GRANT CREATE ON DATABASE ${new URL(db.url).pathname.slice(1)} TO ${role}`)
    expect(await migrate(asRole(), 'sluice')).toEqual(all)
  })

  test('migrates in a schema made for it, with no other privilege', async () => {
    await db.pool.query(`CREATE SCHEMA sluice AUTHORIZATION ${role}`)
    expect(await migrate(asRole(), 'sluice')).toEqual(all)
  })

  test('is told what to ask for otherwise', async () => {
    await expect(migrate(asRole(), 'sluice')).rejects.toMatchObject({
      code: 'schema',
      remedy: expect.stringContaining('CREATE SCHEMA "sluice" AUTHORIZATION'),
    })
  })
})

test('an unreachable server is named, its password is not', async () => {
  const url = 'postgres://me:geheim@127.0.0.1:1/shop'
  const error = await migrate(url, 'sluice').catch((e: unknown) => e)
  expect(error).toBeInstanceOf(UnreachableError)
  expect(String(error)).toContain('127.0.0.1:1/shop')
  expect(JSON.stringify(error) + String(error)).not.toContain('geheim')
})

test('a wrong password is an unreachable server', async () => {
  const url = Object.assign(new URL(db.url), { username: 'nobody_here', password: 'geheim' }).href
  await expect(migrate(url, 'sluice')).rejects.toBeInstanceOf(UnreachableError)
})

test('\\d+ explains every table, view, sequence and function', async () => {
  await migrate(db.url, 'sluice')
  const { rows } = await db.pool.query(`
    SELECT relname AS name FROM pg_class
     WHERE relnamespace = 'sluice'::regnamespace AND relkind IN ('r', 'p', 'v', 'S') AND relname <> 'sync_migration'
       AND obj_description(oid, 'pg_class') IS NULL
       AND NOT EXISTS (SELECT FROM pg_depend d WHERE d.objid = pg_class.oid AND d.deptype IN ('i', 'a') AND relkind = 'S')
    UNION ALL
    SELECT proname FROM pg_proc
     WHERE pronamespace = 'sluice'::regnamespace AND obj_description(oid, 'pg_proc') IS NULL`)
  expect(rows).toEqual([])
})

test('no function of ours looks for a table in pg_temp first', async () => {
  await migrate(db.url, 'sluice')
  // Either its body was resolved when it was created, or its search_path is ours with pg_temp last.
  const { rows } = await db.pool.query(`
    SELECT proname FROM pg_proc JOIN pg_language l ON l.oid = prolang
     WHERE pronamespace = 'sluice'::regnamespace AND prokind = 'f' AND prosqlbody IS NULL
       AND NOT coalesce('search_path=sluice, pg_temp' = ANY (proconfig), false)`)
  expect(rows).toEqual([])
})

test('functions that choose their plan are not compiled: its cost is that of a walk to the end, which they seldom do', async () => {
  await migrate(db.url, 'sluice')
  const { rows } = await db.pool.query<{ proname: string; jit: boolean }>(`
    SELECT proname, 'jit=off' <> ALL (proconfig) AS jit FROM pg_proc
     WHERE pronamespace = 'sluice'::regnamespace AND 'enable_seqscan=off' = ANY (proconfig) ORDER BY 1`)
  expect(rows.map(({ proname }) => proname)).toContain('claim')
  expect(rows.filter(({ jit }) => jit)).toEqual([])
})

test('the queue has no CHECK constraint, which every change of the application would parse; its lanes are checked', async () => {
  await migrate(db.url, 'sluice')
  const { rows } = await db.pool.query(
    `SELECT conname FROM pg_constraint WHERE conrelid = 'sluice.sync_queue'::regclass AND contype = 'c'`,
  )
  expect(rows).toEqual([])
  const insert = `INSERT INTO sluice.sync_queue (document, lane, op) VALUES ('city', $1, 'enqueue')`
  await expect(db.pool.query(insert, [3])).rejects.toThrow('domain sluice.lane')
  await db.pool.query(insert, [2])
})
