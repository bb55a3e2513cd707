import type pg from 'pg'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { quoteIdentifier, quoteTable } from '../../src/catalog/quote.ts'
import { keyPart } from '../../src/documents/key-sql.ts'
import type { DocumentPlan, SourcePlan } from '../../src/documents/types.ts'
import { type TestDatabase, testDatabase } from '../support/context.ts'
import { installView, readView } from './documents-fixture.ts'
import { CITY, expand, GEO, installLinks } from './relations-fixture.ts'

let database: TestDatabase
let plan: DocumentPlan
beforeAll(async () => {
  database = await testDatabase()
  await database.pool.query(GEO)
  plan = await installView(database.pool, CITY, 'city')
  await installLinks(database.pool, plan)
})
afterAll(() => database.drop())

/** Row, as the columns that count have it → the link values that its mark would carry. */
type Rows = ReadonlyMap<string, (string | null)[]>

async function rowsOf(client: pg.ClientBase, { table, key, usedColumns }: SourcePlan): Promise<Rows> {
  const values = key.map(({ name, type }) => keyPart(type, `t.${quoteIdentifier(name)}`))
  const image = usedColumns.map((name) => `t.${quoteIdentifier(name)}`)
  const { rows } = await client.query<{ image: string; links: (string | null)[] }>(
    `SELECT ROW(${image.join(', ')})::text AS image, ARRAY[${values.join(', ')}] AS links FROM ${quoteTable(table)} t`,
  )
  return new Map(rows.map(({ image: text, links }) => [text, links]))
}

const documentsOf = async (client: pg.ClientBase) =>
  new Map((await readView(client, plan)).map(({ key, document }) => [key, document]))

/** Links of the rows that are in one of the two only: their old and their new values. */
function changedLinks(before: Rows, after: Rows): (string | null)[][] {
  return [
    ...[...before].filter(([image]) => !after.has(image)),
    ...[...after].filter(([image]) => !before.has(image)),
  ].map(([, links]) => links)
}

async function keysOf(
  client: pg.ClientBase,
  source: SourcePlan,
  links: (string | null)[],
): Promise<string[]> {
  if (source.expansion !== null) return expand(client, plan, source.source, links)
  return links.flatMap((key) => key ?? [])
}

describe('whatever changes a document, the marks of its tables lead to it', () => {
  it.each([
    "UPDATE geo.city SET name = 'x' WHERE id = 1",
    'UPDATE geo.city SET active = NOT active',
    'UPDATE geo.city SET parent_id = 3 WHERE id IN (2, 5)',
    "UPDATE geo.city SET country_code = 'JP', parent_id = NULL",
    'INSERT INTO geo.city (id, name, parent_id) VALUES (9, $$new$$, 3)',
    'UPDATE geo.city SET active = true WHERE id = 5',
    "UPDATE geo.country SET since = '1848-09-12' WHERE code = 'CH'",
    "UPDATE geo.country SET continent = 'AS' WHERE code = 'CH'",
    "UPDATE geo.country SET name = 'Nippon' WHERE code = 'JP'",
    "UPDATE geo.continent SET name = 'Eurasia'",
    "UPDATE geo.language SET name = 'German' WHERE code = 'de'",
    "DELETE FROM geo.country_language WHERE language = 'fr'",
    "INSERT INTO geo.country_language VALUES ('JP', 'de')",
    "UPDATE geo.country_language SET country_code = 'XX' WHERE country_code = 'CH'",
    'UPDATE geo.review SET city_id = 3 WHERE id = 10',
    'UPDATE geo.review SET city_id = NULL WHERE id = 12',
    'UPDATE geo.review SET city_id = 3 WHERE id = 15',
    'UPDATE geo.review SET approved = NOT approved',
    'UPDATE geo.review SET stars = 9 WHERE id = 11',
    'UPDATE geo.review SET author_id = 8 WHERE id = 10',
    'DELETE FROM geo.review WHERE id = 12',
    "UPDATE geo.author SET name = 'Eve' WHERE id = 7",
    "UPDATE geo.author SET country_code = 'CH'",
    "UPDATE geo.visit SET day = '2025-01-01' WHERE day = '2023-05-01'",
    'UPDATE geo.visit SET city_id = 2 WHERE city_id = 3',
    'TRUNCATE geo.visit',
    // Several levels at once: each change finds its way by what is there in the end, the others by their own marks.
    "UPDATE geo.review SET city_id = 3, author_id = 8; UPDATE geo.author SET name = name || '!', country_code = 'CH'",
    "UPDATE geo.city SET country_code = 'XX' WHERE id = 1; UPDATE geo.country SET continent = 'EU'; UPDATE geo.continent SET name = 'E'",
    'DELETE FROM geo.review; DELETE FROM geo.visit; UPDATE geo.city SET parent_id = NULL; DELETE FROM geo.city WHERE id = 1',
  ])('%s', async (statements) => {
    const client = await database.pool.connect()
    try {
      await client.query('BEGIN')
      const before = await documentsOf(client)
      const rows = new Map<SourcePlan, Rows>()
      for (const source of plan.sources) rows.set(source, await rowsOf(client, source))
      await client.query(statements)
      const after = await documentsOf(client)

      const marked = new Set<string>()
      for (const [source, old] of rows) {
        for (const links of changedLinks(old, await rowsOf(client, source))) {
          for (const key of await keysOf(client, source, links)) marked.add(key)
        }
      }
      const changed = [...new Set([...before.keys(), ...after.keys()])].filter(
        (key) => before.get(key) !== after.get(key),
      )
      expect(changed).not.toEqual([])
      expect(changed.filter((key) => !marked.has(key))).toEqual([])
    } finally {
      await client.query('ROLLBACK')
      client.release()
    }
  })
})
