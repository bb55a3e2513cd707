import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest'
import { pauseDocument } from '../../src/queue/pause-document.ts'
import { readDocuments } from '../../src/queue/read-documents.ts'
import { readTargets } from '../../src/queue/read-targets.ts'
import { eventually } from '../support/context.ts'
import { type QueueDatabase, queueDatabase } from './queue-fixture.ts'

let db: QueueDatabase
beforeAll(async () => {
  db = await queueDatabase()
})
afterAll(() => db.drop())
beforeEach(async () => {
  await db.pool.query(`TRUNCATE ${db.s}.sync_document CASCADE`)
  await db.pool.query(`TRUNCATE ${db.s}.sync_queue`)
  await db.addDocument('city')
})

const call = (text: string, values: readonly unknown[] = []) =>
  db.rows(`SELECT ${db.s}.${text} AS result`, values)
const state = async () =>
  (await readDocuments(db.pool, db.schema)).map(({ name, state, reason }) => ({ name, state, reason }))

describe('enqueue', () => {
  const marks = () => db.rows(`SELECT lane, keys, op FROM ${db.s}.sync_queue ORDER BY id`)

  test('marks keys by hand, a composite one as encode_key writes it', async () => {
    expect(await call("enqueue('city', '1', '2')")).toEqual([{ result: '2' }])
    await call(`enqueue('city', ${db.s}.encode_key('ch', '1"2', NULL))`)
    expect(await marks()).toEqual([
      { lane: 0, keys: ['1', '2'], op: 'enqueue' },
      { lane: 0, keys: ['["ch", "1\\"2", null]'], op: 'enqueue' },
    ])
  })

  test('writes many keys as array marks of the bulk lane', async () => {
    await call("enqueue('city', VARIADIC (SELECT array_agg(n::text) FROM generate_series(1, 501) n))")
    expect((await marks()).map(({ lane, keys }) => [lane, keys.length])).toEqual([
      [1, 500],
      [1, 1],
    ])
  })

  test('refuses a document that is not there, and a null key', async () => {
    await expect(call("enqueue('town', '1')")).rejects.toThrow('no document "town"')
    await expect(call("enqueue('city', NULL)")).rejects.toThrow('cannot be null')
  })
})

describe('pause and resume', () => {
  test('change the state, with the reason', async () => {
    await call("pause('city', 'mapping is wrong')")
    expect(await state()).toEqual([{ name: 'city', state: 'paused', reason: 'mapping is wrong' }])
    await call("resume('city')")
    expect(await state()).toEqual([{ name: 'city', state: 'active', reason: null }])
    await call("pause('city')")
    expect(await state()).toEqual([
      { name: 'city', state: 'paused', reason: expect.stringMatching(/^paused by \w+/) },
    ])
  })

  test('refuse a document that is not there', async () => {
    await expect(call("pause('town')")).rejects.toThrow('no document "town"')
    await expect(call("resume('town')")).rejects.toThrow('no document "town"')
  })

  test("sluice's own pause leaves an operator's alone", async () => {
    await call("pause('city', 'by hand')")
    await pauseDocument(db.pool, db.schema, 'city', 'a column is gone')
    expect(await state()).toMatchObject([{ reason: 'by hand' }])
    await call("resume('city')")
    await pauseDocument(db.pool, db.schema, 'city', 'a column is gone')
    expect(await state()).toMatchObject([{ state: 'paused', reason: 'a column is gone' }])
  })
})

describe('detach', () => {
  const capture = 'capture_city_odd_insert'
  beforeEach(async () => {
    await db.pool.query(`
      DROP SCHEMA IF EXISTS "App Geo" CASCADE;
      CREATE SCHEMA "App Geo";
      CREATE TABLE "App Geo"."City ""x""" (id bigint PRIMARY KEY, name text);
      CREATE FUNCTION ${db.s}.key_city_odd(r "App Geo"."City ""x""") RETURNS text LANGUAGE sql
        BEGIN ATOMIC SELECT (r).id::text; END;
      CREATE FUNCTION ${db.s}.used_city_odd(r "App Geo"."City ""x""") RETURNS text LANGUAGE sql
        BEGIN ATOMIC SELECT ${db.s}.key_city_odd(r); END;
      CREATE FUNCTION ${db.s}.${capture}() RETURNS trigger LANGUAGE plpgsql AS $$
        BEGIN INSERT INTO ${db.s}.sync_queue (document, lane, op, keys)
          VALUES ('city', 0, 'insert', ARRAY[${db.s}.key_city_odd(NEW)]); RETURN NULL; END $$;
      CREATE TRIGGER sluice_city_insert AFTER INSERT ON "App Geo"."City ""x"""
        FOR EACH ROW EXECUTE FUNCTION ${db.s}.${capture}();
      CREATE VIEW ${db.s}.document_city AS SELECT ${db.s}.key_city_odd(c) AS key, id AS key_1 FROM "App Geo"."City ""x""" c`)
    await db.pool.query(
      `INSERT INTO ${db.s}.sync_source (document, source, relation, table_name, capture, objects, fingerprint)
       VALUES ('city', '', $1::regclass, $1, 'statement', $2, 'f')`,
      [
        '"App Geo"."City ""x"""',
        {
          triggers: [{ table: '"App Geo"."City ""x"""', name: 'sluice_city_insert' }],
          functions: [
            `${capture}()`,
            'key_city_odd("App Geo"."City ""x""")',
            'used_city_odd("App Geo"."City ""x""")',
          ],
          views: ['document_city'],
        },
      ],
    )
  })
  const remains = () =>
    db.rows(
      `SELECT proname AS name FROM pg_proc WHERE pronamespace = '${db.s}'::regnamespace AND proname LIKE '%city%'
       UNION ALL SELECT relname FROM pg_class WHERE relnamespace = '${db.s}'::regnamespace AND relname LIKE '%city%'
       UNION ALL SELECT tgname FROM pg_trigger WHERE tgname LIKE 'sluice%'`,
    )

  test('drops triggers, functions and view; the application writes on, and no mark is written', async () => {
    expect(await remains()).toHaveLength(5)
    expect(await call("detach('city')")).toEqual([{ result: 1 }])
    expect(await remains()).toEqual([])
    expect(await state()).toEqual([
      { name: 'city', state: 'detached', reason: expect.stringMatching(/^detached by/) },
    ])
    await db.pool.query(`INSERT INTO "App Geo"."City ""x""" VALUES (1)`)
    expect(await db.rows(`SELECT FROM ${db.s}.sync_queue`)).toEqual([])
    await expect(call("resume('city')")).rejects.toThrow('is detached')
  })

  test('finds them after table, schema, column and trigger were renamed', async () => {
    await db.pool.query(`ALTER TRIGGER sluice_city_insert ON "App Geo"."City ""x""" RENAME TO sluice_other;
      ALTER TABLE "App Geo"."City ""x""" RENAME COLUMN id TO "the id";
      ALTER TABLE "App Geo"."City ""x""" RENAME TO town; ALTER SCHEMA "App Geo" RENAME TO geo_now`)
    try {
      await call("detach('city')")
      expect(await remains()).toEqual([])
    } finally {
      await db.pool.query('DROP SCHEMA geo_now CASCADE')
    }
  })

  test('copes with what is gone already, and can be called twice', async () => {
    await db.pool.query('DROP SCHEMA "App Geo" CASCADE')
    await call("detach('city')")
    expect(await remains()).toEqual([])
    await call("detach('city')")
    expect(await state()).toMatchObject([{ state: 'detached' }])
    await expect(call("detach('town')")).rejects.toThrow('no document "town"')
  })

  test('waits for a busy table in short attempts, so that nobody queues behind it for long', async () => {
    const application = await db.pool.connect()
    const impatient = await db.pool.connect()
    let detached: ReturnType<typeof call>
    try {
      await application.query(`BEGIN; INSERT INTO "App Geo"."City ""x""" VALUES (1)`)
      detached = call("detach('city')")
      await eventually(async () =>
        expect(
          await db.rows(
            "SELECT FROM pg_locks WHERE mode = 'AccessExclusiveLock' AND NOT granted AND database = (SELECT oid FROM pg_database WHERE datname = current_database())",
          ),
        ).not.toEqual([]),
      )
      // Queues behind the waiting DROP, and gets through when that gives way.
      await impatient.query(`SET lock_timeout = '10s'; INSERT INTO "App Geo"."City ""x""" VALUES (2)`)
    } finally {
      await application.query('COMMIT')
      application.release()
      impatient.release(true)
    }
    expect(await detached).toEqual([{ result: 1 }])
    expect(await remains()).toEqual([])
  })
})

test('the targets of a batch are the live index, then those being built', async () => {
  await db.pool.query(`INSERT INTO ${db.s}.sync_index (name, document, alias, uuid, role, hash)
    VALUES ('c-3', 'city', 'c', 'u3', 'retired', 'h'), ('c-2', 'city', 'c', 'u2', 'building', 'h'), ('c-1', 'city', 'c', 'u1', 'live', 'h')`)
  expect(await readTargets(db.pool, db.schema, 'city')).toEqual([
    { index: 'c-1', alias: 'c', uuid: 'u1', role: 'live' },
    { index: 'c-2', alias: 'c', uuid: 'u2', role: 'building' },
  ])
})
