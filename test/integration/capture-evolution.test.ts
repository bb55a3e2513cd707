import type pg from 'pg'
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest'
import { type CaptureWorld, captureWorld } from './capture-world.ts'

// Invariant 15: the application's writes never fail because of us, whatever its migrations do.
let world: CaptureWorld
let pool: pg.Pool

beforeAll(async () => {
  world = await captureWorld('sluice')
  pool = world.pool
})
afterAll(() => world.drop())

beforeEach(async () => {
  await pool.query(`
    DROP SCHEMA IF EXISTS geo CASCADE;
    CREATE SCHEMA geo;
    CREATE TABLE geo.city (code text PRIMARY KEY, name varchar(40), note text, extra int)`)
  await world.capture('city', {
    table: 'geo.city',
    key: [['code', 'pg_catalog.text']],
    used: ['code', 'name'],
  })
  await pool.query("INSERT INTO geo.city VALUES ('a', 'Aachen'), ('b', 'Bern')")
  await world.takeMarks()
})

async function marksOf(sql: string): Promise<string[]> {
  await pool.query(sql)
  return world.takeMarks()
}

describe('what is followed without anyone noticing', () => {
  it.each<[name: string, migration: string, write: string, marks: string[]]>([
    [
      'a renamed used column',
      'ALTER TABLE geo.city RENAME name TO title',
      "UPDATE geo.city SET title = 'x' WHERE code = 'a'",
      ['update a'],
    ],
    [
      'a renamed unused column',
      'ALTER TABLE geo.city RENAME note TO remark',
      "UPDATE geo.city SET remark = 'x'",
      [],
    ],
    [
      'a renamed key column',
      'ALTER TABLE geo.city RENAME code TO id',
      "UPDATE geo.city SET id = 'c' WHERE id = 'a'",
      ['update a,c'],
    ],
    [
      'columns that swap their names',
      'ALTER TABLE geo.city RENAME name TO x; ALTER TABLE geo.city RENAME note TO name; ALTER TABLE geo.city RENAME x TO note',
      "UPDATE geo.city SET name = 'x'",
      [],
    ],
    [
      'a renamed table',
      'ALTER TABLE geo.city RENAME TO town',
      "DELETE FROM geo.town WHERE code = 'a'",
      ['delete a'],
    ],
    [
      'a table moved to another schema',
      'ALTER TABLE geo.city SET SCHEMA public; ALTER TABLE public.city RENAME TO moved',
      "INSERT INTO moved VALUES ('c'); DROP TABLE moved CASCADE",
      ['insert c'],
    ],
    [
      'an added column',
      'ALTER TABLE geo.city ADD added int DEFAULT 1',
      "UPDATE geo.city SET added = 2; UPDATE geo.city SET name = 'x'",
      ['update a,b'],
    ],
    [
      'a dropped unused column',
      'ALTER TABLE geo.city DROP note',
      "UPDATE geo.city SET extra = 1; INSERT INTO geo.city VALUES ('c', 'x', 1)",
      ['insert c'],
    ],
    [
      'a changed type of an unused column',
      'ALTER TABLE geo.city ALTER extra TYPE text',
      "UPDATE geo.city SET extra = 'x'; UPDATE geo.city SET name = 'x'",
      ['update a,b'],
    ],
  ])('%s', async (_, migration, write, marks) => {
    await pool.query(
      'UPDATE geo.city SET extra = 0; UPDATE geo.city SET name = name; DELETE FROM geo.city WHERE false',
    )
    await pool.query(migration)
    expect(await marksOf(write)).toEqual(marks)
  })

  it('in a session whose plans were made before', async () => {
    const client = await pool.connect()
    try {
      await client.query("UPDATE geo.city SET name = 'x'")
      await pool.query('ALTER TABLE geo.city RENAME name TO title; ALTER TABLE geo.city ADD added int')
      await world.takeMarks()
      await client.query("UPDATE geo.city SET added = 1; UPDATE geo.city SET title = 'y' WHERE code = 'a'")
    } finally {
      client.release()
    }
    expect(await world.takeMarks()).toEqual(['update a'])
  })
})

describe('what Postgres refuses, naming our function', () => {
  it.each([
    ['dropping a used column', 'ALTER TABLE geo.city DROP name', /changed_city/],
    ['dropping a key column', 'ALTER TABLE geo.city DROP code', /key_city/],
    ['dropping the table', 'DROP TABLE geo.city', /key_city/],
    ['changing the type of a used column', 'ALTER TABLE geo.city ALTER name TYPE varchar(50)', /function/],
  ])('%s', async (_, sql, named) => {
    const error = await pool.query(sql).then(
      () => null,
      (e: pg.DatabaseError) => e,
    )
    expect(`${error?.message} ${error?.detail}`).toMatch(named)
    expect(await marksOf("UPDATE geo.city SET name = 'x' WHERE code = 'a'")).toEqual(['update a'])
  })
})

describe('what a CASCADE breaks', () => {
  /** Runs SQL as the application does, and returns the warnings it is shown. */
  async function warningsOf(sql: string): Promise<string[]> {
    const client = await pool.connect()
    const warnings: string[] = []
    const listen = (notice: { severity?: string | undefined; message?: string | undefined }) => {
      if (notice.severity === 'WARNING') warnings.push(notice.message ?? '')
    }
    client.on('notice', listen)
    try {
      await client.query(sql)
      return warnings
    } finally {
      client.removeListener('notice', listen)
      client.release()
    }
  }

  it.each([
    ['update', "UPDATE geo.city SET note = 'x'"],
    [
      'a second update in the same transaction',
      "BEGIN; UPDATE geo.city SET note = 'x'; UPDATE geo.city SET note = 'y'; COMMIT",
    ],
  ])('a used column: %s succeeds, everything is marked once, and a warning tells', async (_, write) => {
    await pool.query('ALTER TABLE geo.city DROP name CASCADE')
    const warnings = await warningsOf(write)
    expect(warnings).toHaveLength(1)
    expect(warnings[0]).toMatch(
      /sluice: document city cannot tell which rows of geo\.city changed.*changed_city/,
    )
    expect((await pool.query('SELECT note FROM geo.city')).rows).toHaveLength(2)
    expect(await world.takeMarks()).toEqual(['lane 1 alarm everything'])
  })

  it('a used column: inserts and deletes go on as before', async () => {
    await pool.query('ALTER TABLE geo.city DROP name CASCADE')
    expect(await marksOf("INSERT INTO geo.city VALUES ('c'); DELETE FROM geo.city WHERE code = 'a'")).toEqual(
      ['insert c', 'delete a'],
    )
  })

  it('the key: every write succeeds and marks everything', async () => {
    await pool.query(
      'ALTER TABLE geo.city DROP code CASCADE; ALTER TABLE geo.city ADD id int GENERATED ALWAYS AS IDENTITY',
    )
    const alarm = 'lane 1 alarm everything'
    expect(await marksOf("INSERT INTO geo.city VALUES ('x')")).toEqual([alarm])
    expect(await marksOf("UPDATE geo.city SET name = 'y'")).toEqual([alarm])
    expect(await marksOf('DELETE FROM geo.city')).toEqual([alarm])
    expect(await marksOf('TRUNCATE geo.city')).toEqual(['lane 1 truncate everything'])
  })

  it('after a rolled back savepoint, the next statement still raises the alarm', async () => {
    await pool.query('DROP FUNCTION sluice.key_city CASCADE')
    const write = 'INSERT INTO geo.city VALUES'
    expect(
      await marksOf(`BEGIN; SAVEPOINT s; ${write} ('c'); ROLLBACK TO s; ${write} ('d'); COMMIT`),
    ).toEqual(['lane 1 alarm everything'])
    expect((await pool.query('SELECT code FROM geo.city ORDER BY code')).rows).toEqual([
      { code: 'a' },
      { code: 'b' },
      { code: 'd' },
    ])
  })

  it('a partitioned table: a statement over many rows marks everything once', async () => {
    await pool.query(`
      CREATE TABLE geo.event (id int PRIMARY KEY, title text) PARTITION BY RANGE (id);
      CREATE TABLE geo.event_1 PARTITION OF geo.event FOR VALUES FROM (0) TO (1000)`)
    await world.capture('event', {
      table: 'geo.event',
      key: [['id', 'pg_catalog.int4']],
      used: ['id', 'title'],
      capture: 'row',
      leaves: ['geo.event_1'],
    })
    await pool.query('DROP FUNCTION sluice.key_event')
    expect(
      await warningsOf("INSERT INTO geo.event SELECT i, 'x' FROM generate_series(1, 50) i"),
    ).toHaveLength(1)
    expect(await world.takeMarks()).toEqual(['lane 1 alarm everything'])
  })

  it('our whole schema: the application goes on', async () => {
    await pool.query('DROP SCHEMA sluice CASCADE')
    await pool.query("UPDATE geo.city SET name = 'x'")
  })
})
