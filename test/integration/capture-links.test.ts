import type pg from 'pg'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { type CaptureWorld, captureWorld } from './capture-world.ts'

// What links can be made of, and the parts that one table can have in documents.
let world: CaptureWorld
let pool: pg.Pool

beforeAll(async () => {
  world = await captureWorld()
  pool = world.pool
})
afterAll(() => world.drop())

const marksOf = (sql: string) => world.marksOf(sql)

describe('links', () => {
  it('of several columns are a tuple, and nobody is concerned where one of them is null', async () => {
    await pool.query('CREATE TABLE leg (id int PRIMARY KEY, line text, stop int, note text)')
    await world.capture('stop', {
      source: 'legs',
      table: 'public.leg',
      key: [
        ['line', 'pg_catalog.text'],
        ['stop', 'pg_catalog.int4'],
      ],
      used: ['id', 'line', 'stop'],
    })
    expect(await marksOf("INSERT INTO leg VALUES (1, 'a', 1), (2, 'a', NULL), (3, NULL, 1)")).toEqual([
      'insert legs ["a", "1"]',
    ])
    expect(await marksOf('UPDATE leg SET stop = 2 WHERE id = 1')).toEqual([
      'update legs ["a", "1"],["a", "2"]',
    ])
    expect(await marksOf('UPDATE leg SET stop = NULL WHERE id = 1')).toEqual(['update legs ["a", "2"]'])
    expect(await marksOf('UPDATE leg SET stop = 3')).toEqual(['update legs ["a", "3"]'])
    expect(await marksOf("UPDATE leg SET note = 'x'")).toEqual([])
    expect(await marksOf('DELETE FROM leg')).toEqual(['delete legs ["a", "3"]'])
  })

  it('that a collation calls equal are two', async () => {
    await pool.query(`
      CREATE COLLATION nocase (provider = icu, locale = 'und-u-ks-level2', deterministic = false);
      CREATE TABLE label (id text COLLATE nocase PRIMARY KEY, tag text COLLATE nocase, note text)`)
    await world.capture('tag', {
      source: 'labels',
      table: 'public.label',
      key: [['tag', 'pg_catalog.text']],
      rowKey: [['id', 'pg_catalog.text']],
      used: ['id', 'tag'],
    })
    expect(await marksOf("INSERT INTO label VALUES ('1', 'a'), ('2', 'A')")).toEqual(['insert labels A,a'])
    expect(await marksOf("UPDATE label SET tag = 'A' WHERE id = '1'")).toEqual(['update labels A,a'])
    expect(await marksOf("UPDATE label SET tag = lower(tag), note = 'x'")).toEqual(['update labels A,a'])
  })

  it('of a table whose rows nothing tells apart are those of all rows of the statement', async () => {
    await pool.query('CREATE TABLE visit (city int, at date, note text)')
    await world.capture('city', {
      source: 'visits',
      table: 'public.visit',
      key: [['city', 'pg_catalog.int4']],
      rowKey: [],
      used: ['city', 'at'],
    })
    await marksOf("INSERT INTO visit VALUES (1, '2026-01-01'), (1, '2026-01-01'), (2, '2026-01-02')")
    expect(await marksOf("UPDATE visit SET note = 'x'")).toEqual(['update visits 1,2'])
    expect(await marksOf("UPDATE visit SET note = 'y' WHERE city = 2")).toEqual([])
    expect(await marksOf('UPDATE visit SET city = 3 WHERE city = 1')).toEqual(['update visits 1,3'])
  })

  it('of a table all of whose columns are used are not compared', async () => {
    await pool.query('CREATE TABLE spoken (country text, language text, PRIMARY KEY (country, language))')
    await world.capture('city', {
      source: 'languages:through',
      table: 'public.spoken',
      key: [['country', 'pg_catalog.text']],
      rowKey: [
        ['country', 'pg_catalog.text'],
        ['language', 'pg_catalog.text'],
      ],
    })
    expect(await marksOf("INSERT INTO spoken VALUES ('ch', 'de'), ('ch', 'fr'), ('at', 'de')")).toEqual([
      'insert languages:through at,ch',
    ])
    expect(await marksOf("UPDATE spoken SET language = 'it' WHERE language = 'fr'")).toEqual([
      'update languages:through ch',
    ])
    expect(await marksOf("UPDATE spoken SET country = 'li' WHERE country = 'at'")).toEqual([
      'update languages:through at,li',
    ])
    expect(await marksOf('UPDATE spoken SET language = upper(language)')).toEqual([
      'update languages:through ch,li',
    ])
    expect(await marksOf('DELETE FROM spoken')).toEqual(['delete languages:through ch,li'])
  })
})

describe('a table with several parts in documents', () => {
  it('marks each of them: here a row of itself, twice, and of another document', async () => {
    await pool.query('CREATE TABLE person (id int PRIMARY KEY, boss int, friend int, name text, age int)')
    const id: [string, string][] = [['id', 'pg_catalog.int4']]
    const table = 'public.person'
    await world.capture('person', { table, key: id, used: ['id', 'boss', 'name'] })
    await world.capture('person', { source: 'boss', table, key: id, used: ['id', 'name'] })
    await world.capture('person', {
      source: 'reports',
      table,
      key: [['boss', 'pg_catalog.int4']],
      used: ['id', 'boss', 'name'],
    })
    await world.capture('club', {
      source: 'friends',
      table,
      key: [['friend', 'pg_catalog.int4']],
      used: ['id', 'friend', 'age'],
    })
    await marksOf("INSERT INTO person VALUES (1, NULL, 9, 'a'), (2, 1, 9, 'b'), (3, 1, NULL, 'c')")
    expect((await marksOf("UPDATE person SET name = 'x' WHERE id = 2")).sort()).toEqual([
      'update 2',
      'update boss 2',
      'update reports 1',
    ])
    expect(await marksOf('UPDATE person SET age = 30 WHERE id = 2')).toEqual(['update friends 9'])
    expect((await marksOf('UPDATE person SET boss = 3 WHERE id = 2')).sort()).toEqual([
      'update 2',
      'update reports 1,3',
    ])
  })

  it('of a document made by SQL carries its id, and marks nobody where there is none', async () => {
    await pool.query('CREATE TABLE line (id int PRIMARY KEY, report_id int, amount numeric)')
    await world.capture('report', {
      source: 'public.line',
      table: 'public.line',
      key: [['report_id', 'pg_catalog.int4']],
    })
    expect(await marksOf('INSERT INTO line VALUES (1, 7, 1), (2, 7, 2), (3, NULL, 3)')).toEqual([
      'insert public.line 7',
    ])
    expect(await marksOf('UPDATE line SET report_id = NULL WHERE id = 1')).toEqual(['update public.line 7'])
    expect(await marksOf('DELETE FROM line WHERE id = 3')).toEqual([])
  })
})

describe('the address of a document', () => {
  const key: [string, string][] = [
    ['id', 'pg_catalog.int4'],
    ['tenant', 'pg_catalog.text'],
  ]

  it.each([
    ['with comparison', ['id', 'tenant', 'name']],
    ['without', undefined],
  ] as const)('is marked as it was and as it is: %s', async (name, used) => {
    const table = `account_${name.length}`
    await pool.query(`CREATE TABLE ${table} (id int PRIMARY KEY, tenant text, name text, hits int)`)
    await world.capture(table, { table: `public.${table}`, key, ...(used && { used: [...used] }) })
    expect(await marksOf(`INSERT INTO ${table} VALUES (1, 'a'), (2, NULL)`)).toEqual([
      'insert ["1", "a"],["2", null]',
    ])
    expect(await marksOf(`UPDATE ${table} SET tenant = 'b' WHERE id = 1`)).toEqual([
      'update ["1", "a"],["1", "b"]',
    ])
    expect(await marksOf(`UPDATE ${table} SET tenant = 'c' WHERE id = 2`)).toEqual([
      'update ["2", "c"],["2", null]',
    ])
    expect(await marksOf(`UPDATE ${table} SET tenant = NULL`)).toEqual([
      'update ["1", "b"],["1", null],["2", "c"],["2", null]',
    ])
    expect(await marksOf(`UPDATE ${table} SET hits = 1 WHERE id = 2`)).toEqual(
      used ? [] : ['update ["2", null]'],
    )
    expect(await marksOf(`DELETE FROM ${table} WHERE id = 2`)).toEqual(['delete ["2", null]'])
  })
})
