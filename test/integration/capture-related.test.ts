import type pg from 'pg'
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest'
import { type CaptureWorld, captureWorld } from './capture-world.ts'

// Marks of related tables carry what leads one level up: each link once, and of each row that changed the old and the new.
let world: CaptureWorld
let pool: pg.Pool

beforeAll(async () => {
  world = await captureWorld()
  pool = world.pool
})
afterAll(() => world.drop())

const marksOf = (sql: string) => world.marksOf(sql)

type Case = [name: string, sql: string, marks: string[]]

describe('a child table, linked by its foreign key', () => {
  beforeAll(async () => {
    await pool.query('CREATE TABLE review (id int PRIMARY KEY, city_id bigint, body text, hits int)')
    await world.capture('city', {
      source: 'reviews',
      table: 'public.review',
      key: [['city_id', 'pg_catalog.int8']],
      used: ['id', 'city_id', 'body'],
    })
  })
  beforeEach(async () => {
    await pool.query(`
      TRUNCATE review;
      INSERT INTO review VALUES (1, 10, 'a'), (2, 10, 'b'), (3, 20, 'c'), (4, 20, 'd'), (5, NULL, 'e'), (6, NULL, 'f')`)
    await world.takeMarks()
  })

  const rows = (count: number, city: string) =>
    `INSERT INTO review SELECT 100 + i, ${city}, 'x' FROM generate_series(1, ${count}) AS i`

  it.each<Case>([
    ['an insert marks the parent', "INSERT INTO review VALUES (7, 30, 'x')", ['insert reviews 30']],
    ['an insert without a parent marks nobody', "INSERT INTO review VALUES (7, NULL, 'x')", []],
    [
      'an insert of several rows marks each parent once',
      "INSERT INTO review VALUES (7, 30, 'x'), (8, 30, 'y'), (9, 40, 'z'), (11, NULL, 'z')",
      ['insert reviews 30,40'],
    ],
    ['a thousand rows of one parent are one key', rows(1_000, '7'), ['insert reviews 7']],
    ['a thousand rows without a parent are no mark', rows(1_000, 'NULL'), []],
    ['an insert of no row', 'INSERT INTO review SELECT * FROM review WHERE false', []],
    ['an update of a used column', "UPDATE review SET body = 'x' WHERE id = 1", ['update reviews 10']],
    ['an update of an unused column', 'UPDATE review SET hits = 1 WHERE id = 1', []],
    ['an update of an unused column in several rows', 'UPDATE review SET hits = 1', []],
    ['an update to the same value', 'UPDATE review SET body = body', []],
    [
      'a row that moves marks both parents',
      'UPDATE review SET city_id = 30 WHERE id = 1',
      ['update reviews 10,30'],
    ],
    ['a row that loses its parent', 'UPDATE review SET city_id = NULL WHERE id = 1', ['update reviews 10']],
    ['a row that finds a parent', 'UPDATE review SET city_id = 30 WHERE id = 5', ['update reviews 30']],
    ['a used column of a row without a parent', "UPDATE review SET body = 'x' WHERE id = 5", []],
    [
      'of several rows, those that change',
      "UPDATE review SET body = CASE id WHEN 3 THEN 'x' ELSE body END, hits = 1",
      ['update reviews 20'],
    ],
    [
      'two rows that swap their parents',
      'UPDATE review SET city_id = 30 - city_id WHERE id IN (2, 3)',
      ['update reviews 10,20'],
    ],
    ['a row that changes its key', 'UPDATE review SET id = 100 WHERE id = 1', ['update reviews 10']],
    [
      'rows that change their keys',
      'UPDATE review SET id = id + 100, hits = 1 WHERE id IN (1, 5)',
      ['update reviews 10'],
    ],
    ['a delete', 'DELETE FROM review WHERE id = 1', ['delete reviews 10']],
    ['a delete of rows of two parents', 'DELETE FROM review', ['delete reviews 10,20']],
    ['a delete without a parent', 'DELETE FROM review WHERE id = 5', []],
    ['TRUNCATE marks all roots', 'TRUNCATE review', ['lane 1 truncate reviews everything']],
    [
      'ON CONFLICT DO UPDATE',
      "INSERT INTO review VALUES (1, 10, 'new'), (3, 20, 'c'), (7, 30, 'x') ON CONFLICT (id) DO UPDATE SET body = excluded.body",
      ['insert reviews 30', 'update reviews 10'],
    ],
    [
      'MERGE',
      `MERGE INTO review USING (VALUES (1), (3), (7)) AS v (id) ON review.id = v.id
         WHEN MATCHED AND v.id = 1 THEN DELETE WHEN MATCHED THEN UPDATE SET city_id = 50
         WHEN NOT MATCHED THEN INSERT VALUES (v.id, 30)`,
      ['delete reviews 10', 'insert reviews 30', 'update reviews 20,50'],
    ],
    ['100 parents are interactive', rows(200, 'i % 100'), ['insert reviews 100 keys']],
    ['101 parents are bulk', rows(202, 'i % 101'), ['lane 1 insert reviews 101 keys']],
    [
      '501 parents are two marks',
      rows(1_002, 'i % 501'),
      ['lane 1 insert reviews 500 keys', 'lane 1 insert reviews 99'],
    ],
    ['a rolled back change', "BEGIN; UPDATE review SET body = 'x'; ROLLBACK", []],
  ])('%s', async (_, sql, marks) => {
    const found = await marksOf(sql)
    // Which key of 501 is alone is nobody's business.
    const settled = found.map((mark) => mark.replace(/(lane 1 insert reviews) \d+$/, '$1 99'))
    expect(settled.sort()).toEqual(marks)
  })

  it.each([10_000, 10_001, 12_345])('%i parents are marks of 500, each parent once', async (count) => {
    const marked = async (sql: string) => {
      await pool.query(sql)
      const { rows: marks } = await pool.query<{ lane: number; keys: string[] }>(
        `DELETE FROM "${world.schema}".sync_queue RETURNING lane, keys`,
      )
      expect(marks.every(({ lane, keys }) => lane === 1 && keys.length <= 500)).toBe(true)
      expect(marks).toHaveLength(Math.ceil(count / 500))
      const keys = marks.flatMap((mark) => mark.keys)
      expect(keys).toHaveLength(count)
      return new Set(keys).size
    }
    await pool.query('DELETE FROM review')
    await world.takeMarks()
    expect(await marked(rows(2 * count, `i % ${count}`))).toBe(count)
    expect(await marked("UPDATE review SET body = 'y'")).toBe(count)
    expect(await marksOf('UPDATE review SET hits = 1')).toEqual([])
    expect(await marked('DELETE FROM review')).toBe(count)
  })

  it.each<[name: string, sql: string, keys: number]>([
    ['all that changes', "UPDATE review SET body = 'y'", 300],
    ['nothing where it changes unused columns', 'UPDATE review SET hits = 2', 0],
    ['some of its rows', "UPDATE review SET body = CASE WHEN id % 4 = 0 THEN 'y' ELSE body END", 75],
    ['only its last row', "UPDATE review SET body = CASE id WHEN 400 THEN 'y' ELSE body END", 1],
    [
      'all of them, where its first rows have changed',
      "UPDATE review SET body = CASE WHEN id < 200 THEN 'y' ELSE body END",
      300,
    ],
    ['old and new parents', 'UPDATE review SET city_id = city_id + 1000', 600],
    [
      'the parents of a row that moves',
      'UPDATE review SET city_id = CASE id WHEN 400 THEN 999 ELSE city_id END',
      2,
    ],
  ])('marks of a large update: %s', async (_, sql, keys) => {
    await pool.query(`DELETE FROM review; ${rows(300, 'i')}`)
    await world.takeMarks()
    await pool.query(sql)
    const { rows: marks } = await pool.query<{ keys: string[] }>(
      `DELETE FROM "${world.schema}".sync_queue RETURNING keys`,
    )
    const all = marks.flatMap((mark) => mark.keys)
    expect([all.length, new Set(all).size]).toEqual([keys, keys])
  })
})

describe('a table that many documents point to', () => {
  beforeAll(async () => {
    await pool.query(`
      CREATE TABLE country (code text PRIMARY KEY, name text, area int);
      CREATE TABLE town (id int PRIMARY KEY, country text REFERENCES country ON UPDATE CASCADE)`)
    await world.capture('town', {
      source: 'country',
      table: 'public.country',
      key: [['code', 'pg_catalog.text']],
      rowKey: [['code', 'pg_catalog.text']],
      used: ['code', 'name'],
    })
    await world.capture('town', { table: 'public.town', key: [['id', 'pg_catalog.int4']] })
    await pool.query(`
      INSERT INTO country VALUES ('at', 'Austria'), ('ch', 'Switzerland');
      INSERT INTO town SELECT i, 'ch' FROM generate_series(1, 5000) AS i`)
    await world.takeMarks()
  })

  it('renamed is one mark of one key, however many point to it', async () => {
    expect(await marksOf("UPDATE country SET name = 'Suisse' WHERE code = 'ch'")).toEqual([
      'update country ch',
    ])
    expect(await marksOf('UPDATE country SET area = 1')).toEqual([])
  })

  it('renumbered marks what pointed to it, and what does now', async () => {
    const marks = await marksOf("UPDATE country SET code = 'CH' WHERE code = 'ch'")
    expect(marks[0]).toBe('update country CH,ch')
    expect(marks.slice(1).every((mark) => mark === 'lane 1 update 500 keys')).toBe(true)
  })

  it('is told apart from the document itself in everything marks', async () => {
    expect((await marksOf('TRUNCATE country CASCADE')).sort()).toEqual([
      'lane 1 truncate country everything',
      'lane 1 truncate everything',
    ])
  })
})
