import { Readable } from 'node:stream'
import { pipeline } from 'node:stream/promises'
import type pg from 'pg'
import { from } from 'pg-copy-streams'
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest'
import { type CaptureWorld, captureWorld } from './capture-world.ts'

let world: CaptureWorld
let pool: pg.Pool

beforeAll(async () => {
  world = await captureWorld()
  pool = world.pool
})
afterAll(() => world.drop())

describe('a table whose document uses some of its columns', () => {
  beforeAll(async () => {
    await pool.query(`
      CREATE TABLE city (id bigint PRIMARY KEY, name text NOT NULL, note text, n int, o int);
      CREATE TABLE incoming (id bigint, name text);
    `)
    await world.capture('city', { table: 'public.city', key: [['id', 'bigint']], used: ['id', 'name'] })
  })
  beforeEach(async () => {
    await pool.query(`
      DELETE FROM city; DELETE FROM incoming;
      INSERT INTO city SELECT i, 'city ' || i FROM generate_series(1, 5) AS i;
      INSERT INTO incoming VALUES (4, 'city 4'), (5, 'renamed'), (6, 'new'), (7, 'new')`)
    await world.takeMarks()
  })

  const upsert = 'INSERT INTO city SELECT * FROM incoming ON CONFLICT (id) DO'
  const rows = (from: number, to: number) =>
    `INSERT INTO city SELECT i, 'x' FROM generate_series(${from}, ${to}) AS i`

  it.each<[name: string, sql: string, marks: string[]]>([
    ['an insert of one row', "INSERT INTO city VALUES (9, 'nine')", ['insert 9']],
    ['an insert of several rows is one mark', "INSERT INTO city VALUES (8, 'a'), (9, 'b')", ['insert 8,9']],
    ['an insert of no row', 'INSERT INTO city SELECT * FROM city WHERE false', []],
    ['an update of a used column', "UPDATE city SET name = 'x' WHERE id < 3", ['update 1,2']],
    ['an update of an unused column writes no mark', "UPDATE city SET note = 'x'", []],
    ['an update to the same value writes no mark', 'UPDATE city SET name = name', []],
    [
      'an update that changes some of its rows',
      "UPDATE city SET name = 'city 2', note = 'x'",
      ['update 1,3,4,5'],
    ],
    ['an update of no row', "UPDATE city SET name = 'x' WHERE false", []],
    ['a changed key marks the old and the new one', 'UPDATE city SET id = 10 WHERE id = 1', ['update 1,10']],
    ['keys that move up', 'UPDATE city SET id = id + 10', ['update 1,11,12,13,14,15,2,3,4,5']],
    [
      'two rows that swap their keys',
      'ALTER TABLE city DROP CONSTRAINT city_pkey; UPDATE city SET id = 3 - id WHERE id < 3; ALTER TABLE city ADD PRIMARY KEY (id)',
      ['update 1,2'],
    ],
    ['a delete', 'DELETE FROM city WHERE id < 3', ['delete 1,2']],
    ['a delete of no row', 'DELETE FROM city WHERE false', []],
    ['TRUNCATE marks everything', 'TRUNCATE city', ['lane 1 truncate everything']],
    [
      'TRUNCATE twice in a transaction marks once',
      'BEGIN; TRUNCATE city; TRUNCATE city; COMMIT',
      ['lane 1 truncate everything'],
    ],
    ['ON CONFLICT DO NOTHING marks what was inserted', `${upsert} NOTHING`, ['insert 6,7']],
    [
      'ON CONFLICT DO UPDATE marks inserted and changed rows',
      `${upsert} UPDATE SET name = excluded.name`,
      ['update 5', 'insert 6,7'],
    ],
    [
      'MERGE',
      `MERGE INTO city USING incoming AS i ON city.id = i.id
         WHEN MATCHED AND i.id = 4 THEN DELETE
         WHEN MATCHED THEN UPDATE SET name = i.name
         WHEN NOT MATCHED THEN INSERT VALUES (i.id, i.name)`,
      ['delete 4', 'update 5', 'insert 6,7'],
    ],
    [
      'data-modifying WITH',
      "WITH gone AS (DELETE FROM city WHERE id = 1 RETURNING id) INSERT INTO city SELECT id + 100, 'x' FROM gone",
      ['delete 1', 'insert 101'],
    ],
    ['100 rows are interactive', rows(101, 200), ['insert 100 keys']],
    ['more than 100 rows are bulk', rows(101, 201), ['lane 1 insert 101 keys']],
    ['500 rows are one mark', rows(101, 600), ['lane 1 insert 500 keys']],
    ['501 rows are two marks', rows(101, 601), ['lane 1 insert 500 keys', 'lane 1 insert 601']],
    ['a rolled back change', "BEGIN; UPDATE city SET name = 'x'; ROLLBACK", []],
    [
      'a rolled back savepoint',
      "BEGIN; INSERT INTO city VALUES (8, 'a'); SAVEPOINT s; DELETE FROM city; TRUNCATE city; ROLLBACK TO s; COMMIT",
      ['insert 8'],
    ],
    [
      'TRUNCATE after a rolled back TRUNCATE',
      'BEGIN; SAVEPOINT s; TRUNCATE city; ROLLBACK TO s; TRUNCATE city; COMMIT',
      ['lane 1 truncate everything'],
    ],
    [
      'statements of one transaction, each with its marks',
      "BEGIN; INSERT INTO city VALUES (8, 'a'); UPDATE city SET name = 'b' WHERE id = 8; DELETE FROM city WHERE id = 8; COMMIT",
      ['insert 8', 'update 8', 'delete 8'],
    ],
    [
      'a function with an exception block of its own',
      "DO $$ BEGIN BEGIN INSERT INTO city VALUES (8, 'a'); INSERT INTO city VALUES (8, 'a'); EXCEPTION WHEN unique_violation THEN NULL; END; INSERT INTO city VALUES (9, 'b'); END $$",
      ['insert 9'],
    ],
  ])('%s', async (_, sql, marks) => {
    await pool.query(sql)
    expect((await world.takeMarks()).sort()).toEqual([...marks].sort())
  })

  it.each([10_000, 10_001, 25_000])(
    'a statement over %i rows is cut into marks of 500, each key once',
    async (count) => {
      const marked = async (sql: string) => {
        await pool.query(sql)
        const { rows } = await pool.query<{ lane: number; keys: string[] }>(
          `DELETE FROM "${world.schema}".sync_queue RETURNING lane, keys`,
        )
        expect(rows.every(({ lane, keys }) => lane === 1 && keys.length <= 500)).toBe(true)
        expect(rows).toHaveLength(Math.ceil(count / 500))
        return new Set(rows.flatMap(({ keys }) => keys)).size
      }
      expect(await marked(rows(100, 99 + count))).toBe(count)
      expect(await marked("UPDATE city SET name = 'y' WHERE id >= 100")).toBe(count)
      await pool.query("UPDATE city SET note = 'y'")
      expect(await world.takeMarks()).toEqual([])
      expect(await marked('DELETE FROM city WHERE id >= 100')).toBe(count)
    },
  )

  it.each<[name: string, sql: string, keys: number]>([
    ['all that a large update changes', "UPDATE city SET name = 'y' WHERE id >= 100", 300],
    ['nothing where it changes unused columns', 'UPDATE city SET n = 1 WHERE id >= 100', 0],
    [
      'some of its rows',
      "UPDATE city SET name = CASE WHEN id % 4 = 0 THEN 'y' ELSE 'x' END WHERE id >= 100",
      75,
    ],
    ['only its last row', "UPDATE city SET name = CASE id WHEN 399 THEN 'y' ELSE 'x' END WHERE id >= 100", 1],
    [
      'all of them, unchanged ones too, where its first rows have changed',
      "UPDATE city SET name = CASE WHEN id < 200 THEN 'y' ELSE 'x' END WHERE id >= 100",
      300,
    ],
    ['old and new keys', 'UPDATE city SET id = id + 1000, n = 1 WHERE id >= 100', 600],
    [
      'a changed key, and none of those beside it',
      'UPDATE city SET id = CASE id WHEN 399 THEN 999 ELSE id END, n = 1 WHERE id >= 100',
      2,
    ],
  ])('marks of a large update: %s', async (_, sql, keys) => {
    await pool.query(rows(100, 399))
    await world.takeMarks()
    await pool.query(sql)
    const { rows: marks } = await pool.query<{ keys: string[] }>(
      `DELETE FROM "${world.schema}".sync_queue RETURNING keys`,
    )
    expect(new Set(marks.flatMap((mark) => mark.keys)).size).toBe(keys)
  })

  it('a large update of a table that has lost and gained columns is compared as before', async () => {
    await pool.query(
      `ALTER TABLE city DROP COLUMN o; ALTER TABLE city ADD COLUMN late int; ${rows(100, 399)}`,
    )
    await world.takeMarks()
    await pool.query('UPDATE city SET late = 1 WHERE id >= 100')
    expect(await world.takeMarks()).toEqual([])
    await pool.query("UPDATE city SET name = 'y' WHERE id >= 100")
    expect(await world.takeMarks()).toEqual(['lane 1 update 300 keys'])
  })

  it('COPY is a statement like any other', async () => {
    const client = await pool.connect()
    try {
      await pipeline(Readable.from(['8\ta\n9\tb\n']), client.query(from('COPY city (id, name) FROM STDIN')))
    } finally {
      client.release()
    }
    expect(await world.takeMarks()).toEqual(['insert 8,9'])
  })

  it('carries the transaction that caused it, also from within a savepoint', async () => {
    await pool.query("BEGIN; SAVEPOINT s; INSERT INTO city VALUES (8, 'a'); RELEASE s; COMMIT")
    const { rows } = await pool.query<{ same: boolean }>(
      `SELECT q.origin::xid = c.xmax OR pg_xact_status(q.origin) = 'committed' AS same
         FROM "${world.schema}".sync_queue q, city c WHERE c.id = 8`,
    )
    expect(rows).toEqual([{ same: true }])
  })
})

describe('a table whose document uses every column', () => {
  beforeAll(async () => {
    await pool.query('CREATE TABLE country (code text PRIMARY KEY, name text)')
    await world.capture('country', { table: 'public.country', key: [['code', 'pg_catalog.text']] })
  })
  beforeEach(async () => {
    await pool.query(`
      DELETE FROM country; INSERT INTO country SELECT chr(96 + i), i::text FROM generate_series(1, 5) AS i`)
    await world.takeMarks()
  })

  it.each<[name: string, sql: string, marks: string[]]>([
    ['an update', "UPDATE country SET name = 'x' WHERE code < 'c'", ['update a,b']],
    ['an update of no row', 'UPDATE country SET name = name WHERE false', []],
    ['a changed key', "UPDATE country SET code = 'z' WHERE code = 'a'", ['update a,z']],
    [
      'one changed key of several rows',
      "UPDATE country SET code = replace(code, 'b', 'y') WHERE code < 'd'",
      ['update a,b,c,y'],
    ],
    [
      'two rows that swap their keys',
      "ALTER TABLE country DROP CONSTRAINT country_pkey; UPDATE country SET code = translate(code, 'ab', 'ba'); ALTER TABLE country ADD PRIMARY KEY (code)",
      ['update a,b,c,d,e'],
    ],
    ['an insert', "INSERT INTO country VALUES ('x', 'y')", ['insert x']],
    ['a delete', "DELETE FROM country WHERE code = 'a'", ['delete a']],
  ])('%s', async (_, sql, marks) => {
    await pool.query(sql)
    expect(await world.takeMarks()).toEqual(marks)
  })

  it('a statement over 12,000 rows whose last key changes marks all of them, old and new', async () => {
    await pool.query("INSERT INTO country SELECT i, 'x' FROM generate_series(1, 12000) i")
    await world.takeMarks()
    await pool.query(
      "UPDATE country SET code = CASE code WHEN '12000' THEN 'last' ELSE code END WHERE name = 'x'",
    )
    const { rows } = await pool.query<{ keys: string[] }>(
      `DELETE FROM "${world.schema}".sync_queue RETURNING keys`,
    )
    const keys = new Set(rows.flatMap((row) => row.keys))
    expect(keys.size).toBe(12_001)
    expect([keys.has('12000'), keys.has('last')]).toEqual([true, true])
  })
})
