import type pg from 'pg'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { type CaptureWorld, captureWorld } from './capture-world.ts'

// Keys and columns of any type and name.
let world: CaptureWorld
let pool: pg.Pool

beforeAll(async () => {
  world = await captureWorld()
  pool = world.pool
})
afterAll(() => world.drop())

const marksOf = (sql: string) => world.marksOf(sql)

describe('keys', () => {
  it('of several columns are a JSON array, encoded as encode_key does', async () => {
    await pool.query('CREATE TABLE stop (line text, n int, name text, PRIMARY KEY (line, n))')
    await world.capture('stop', {
      table: 'public.stop',
      key: [
        ['line', 'pg_catalog.text'],
        ['n', 'pg_catalog.int4'],
      ],
    })
    await pool.query(`INSERT INTO stop VALUES ('a "b", c\\', 1, 'x')`)
    const { rows } = await pool.query(
      `SELECT keys = ARRAY["${world.schema}".encode_key(line, n::text)] AS same FROM "${world.schema}".sync_queue, stop`,
    )
    expect(rows).toEqual([{ same: true }])
    expect(await world.takeMarks()).toEqual([String.raw`insert ["a \"b\", c\\", "1"]`])
    expect(await marksOf("UPDATE stop SET name = 'y'")).toEqual([String.raw`update ["a \"b\", c\\", "1"]`])
  })

  it('are the same text whatever the session has set', async () => {
    await pool.query('CREATE TABLE slot (day date, at timestamptz, hash bytea, PRIMARY KEY (day, at, hash))')
    await world.capture('slot', {
      table: 'public.slot',
      key: [
        ['day', 'pg_catalog.date'],
        ['at', 'pg_catalog.timestamptz'],
        ['hash', 'pg_catalog.bytea'],
      ],
    })
    const values = String.raw`('2026-03-04', '2026-03-04 12:00+00', '\x00ff')`
    const marks = await marksOf(`INSERT INTO slot VALUES ${values}`)
    expect(marks).toEqual([String.raw`insert ["2026-03-04", "2026-03-04T12:00:00Z", "\\x00ff"]`])
    const odd =
      "SET LOCAL DateStyle = 'German'; SET LOCAL TimeZone = 'Asia/Dubai'; SET LOCAL bytea_output = 'escape'"
    expect(await marksOf(`BEGIN; ${odd}; DELETE FROM slot; COMMIT`)).toEqual([
      marks[0]?.replace('insert', 'delete'),
    ])
  })

  it('that a collation calls equal are two keys', async () => {
    await pool.query(`
      CREATE COLLATION nocase (provider = icu, locale = 'und-u-ks-level2', deterministic = false);
      CREATE TABLE tag (name text COLLATE nocase PRIMARY KEY, label text COLLATE nocase, note text)`)
    await world.capture('tag', {
      table: 'public.tag',
      key: [['name', 'pg_catalog.text']],
      used: ['name', 'label'],
    })
    expect(await marksOf("INSERT INTO tag VALUES ('a', 'x')")).toEqual(['insert a'])
    expect(await marksOf("UPDATE tag SET name = 'A'")).toEqual(['update A,a'])
    expect(await marksOf("UPDATE tag SET label = 'X'")).toEqual(['update A'])
  })
})

describe('columns', () => {
  it('of types without equality are compared, and nothing raises', async () => {
    await pool.query(`
      CREATE TYPE pair AS (a json, b point);
      CREATE TABLE shape (id int PRIMARY KEY, doc json, at point, area box, two pair, path xml, unused json)`)
    await world.capture('shape', {
      table: 'public.shape',
      key: [['id', 'pg_catalog.int4']],
      used: ['id', 'doc', 'at', 'area', 'two', 'path'],
    })
    await pool.query(
      `INSERT INTO shape VALUES (1, '{"a":1}', '(1,2)', '(1,2),(3,4)', ROW('{}', '(0,0)'), '<a/>')`,
    )
    await world.takeMarks()
    expect(await marksOf(`UPDATE shape SET doc = '{"a": 1}'`)).toEqual(['update 1'])
    expect(await marksOf("UPDATE shape SET at = '(1,3)'")).toEqual(['update 1'])
    expect(await marksOf("UPDATE shape SET two = ROW('[]', '(0,0)')")).toEqual(['update 1'])
    expect(
      await marksOf(`UPDATE shape SET doc = doc, at = at, two = two, path = path, unused = '[1]'`),
    ).toEqual([])
    expect(await marksOf('UPDATE shape SET doc = NULL')).toEqual(['update 1'])
  })

  it('that are equal and look different have changed', async () => {
    await pool.query('CREATE TABLE price (id int PRIMARY KEY, amount numeric, rate float8, note text)')
    await world.capture('price', {
      table: 'public.price',
      key: [['id', 'pg_catalog.int4']],
      used: ['id', 'amount', 'rate'],
    })
    await marksOf('INSERT INTO price VALUES (1, 1.0, 0)')
    expect(await marksOf('UPDATE price SET amount = 1.00')).toEqual(['update 1'])
    expect(await marksOf("UPDATE price SET rate = '-0'")).toEqual(['update 1'])
    expect(await marksOf("UPDATE price SET note = 'x'")).toEqual([])
  })

  it('stored out of line are compared by content', async () => {
    await pool.query('CREATE TABLE page (id int PRIMARY KEY, body text, hits int)')
    await pool.query('ALTER TABLE page ALTER COLUMN body SET STORAGE EXTERNAL')
    await world.capture('page', {
      table: 'public.page',
      key: [['id', 'pg_catalog.int4']],
      used: ['id', 'body'],
    })
    await marksOf("INSERT INTO page VALUES (1, repeat('abcdefgh', 10000), 0)")
    expect(await marksOf('UPDATE page SET hits = 1')).toEqual([])
    expect(await marksOf('UPDATE page SET body = body')).toEqual([])
    expect(await marksOf("UPDATE page SET body = overlay(body PLACING 'X' FROM 40000)")).toEqual(['update 1'])
  })

  it('that are generated and virtual are compared by what they are computed from', async ({ skip }) => {
    const { rows } = await pool.query<{ v: number }>("SELECT current_setting('server_version_num')::int AS v")
    if ((rows[0]?.v ?? 0) < 180_000) skip('virtual generated columns came with Postgres 18')
    await pool.query(
      'CREATE TABLE sum (id int PRIMARY KEY, a int, total int GENERATED ALWAYS AS (a * 2) VIRTUAL, b int)',
    )
    await world.capture('sum', { table: 'public.sum', key: [['id', 'pg_catalog.int4']], used: ['id', 'a'] })
    await marksOf('INSERT INTO sum VALUES (1, 1)')
    expect(await marksOf('UPDATE sum SET a = 2')).toEqual(['update 1'])
    expect(await marksOf('UPDATE sum SET b = 2')).toEqual([])
  })

  it('may have any name, those of our own variables included', async () => {
    await pool.query(`
      CREATE TABLE "Odd ""table""" ("Id" int, n int, o int, q int, c int, key text, marked text, first int, new_rows int,
                                    old_rows int, lane int, "we""ird" text, gone text, PRIMARY KEY ("Id", n));
      ALTER TABLE "Odd ""table""" DROP COLUMN gone`)
    await world.capture('odd', {
      table: 'public.Odd "table"',
      key: [
        ['Id', 'pg_catalog.int4'],
        ['n', 'pg_catalog.int4'],
      ],
      used: ['Id', 'n', 'o', 'q', 'key', 'marked', 'we"ird'],
    })
    expect(await marksOf(`INSERT INTO "Odd ""table""" VALUES (1, 2), (3, 4)`)).toEqual([
      'insert ["1", "2"],["3", "4"]',
    ])
    expect(await marksOf(`UPDATE "Odd ""table""" SET "we""ird" = 'x' WHERE n = 2`)).toEqual([
      'update ["1", "2"]',
    ])
    expect(await marksOf(`UPDATE "Odd ""table""" SET lane = 7, new_rows = 1`)).toEqual([])
    expect(await marksOf(`DELETE FROM "Odd ""table""" WHERE o IS NULL AND n = 2`)).toEqual([
      'delete ["1", "2"]',
    ])
  })
})
