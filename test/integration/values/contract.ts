import { createHash } from 'node:crypto'
import { afterAll, beforeAll, describe, expect, inject, it } from 'vitest'
import { quoteIdentifier } from '../../../src/catalog/quote.ts'
import type { DocumentDefinition } from '../../../src/config/types.ts'
import type { Group, ValueCase } from './case.ts'
import { dates } from './dates.ts'
import { domains } from './domains.ts'
import { columns, refusedColumns, schemas, tables } from './names.ts'
import { network } from './network.ts'
import { numbers } from './numbers.ts'
import { structures } from './structures.ts'
import { text } from './text.ts'
import { type ValuesWorld, valuesWorld } from './world.ts'

const groups: readonly Group[] = [numbers, text, dates, structures, domains, network]

const isRefused = ({ becomes }: ValueCase) => 'unstorable' in becomes
const isStorable = (item: ValueCase) => !isRefused(item) && (item.since ?? 0) <= inject('postgresVersion')

/** Every value and name, from an application's INSERT to the document in the index. */
export function describeValues(
  server: string,
  { url, openSearch = false }: { readonly url: () => string; readonly openSearch?: boolean },
): void {
  describe(`values in ${server}`, () => {
    let world: ValuesWorld
    beforeAll(async () => {
      world = await valuesWorld(url())
      for (const group of groups) await createGroup(world, group)
      await createNames(world)
      await world.install({
        ...Object.fromEntries(groups.map((group) => [group.name, definitionOf(world, group)])),
        ...namesOf(world),
      })
      for (const group of groups) await insertAll(world, group)
      await writeNames(world)
      await world.drain()
    })
    afterAll(() => world?.drop())

    describe.each(groups)('$name', (group) => {
      const { name, cases } = group
      const stored = cases.filter(isStorable)
      it.each(stored)('$name', async (item) => {
        const id = String(cases.indexOf(item))
        const [source, dead] = [await world.source(name, id), (await world.dead(name)).get(id)]
        expect(short(outcomeOf(group, item, source, dead))).toEqual(short(expected(item, openSearch)))
      })

      const unstored = cases.filter(isRefused)
      if (unstored.length > 0) {
        it.each(unstored)('$name is refused by Postgres', async ({ name: column, value, becomes }) => {
          await expect(
            world.client.query(`UPDATE ${quoteIdentifier(name)} SET ${quoteIdentifier(column)} = ${value}`),
          ).rejects.toMatchObject({ code: 'unstorable' in becomes ? becomes.unstorable : null })
        })
      }

      it('there is nothing else', async () => {
        expect((await world.count(name)) + (await world.dead(name)).size).toBe(stored.length)
      })
    })

    it('no mapping, as the server shows it, is taken for one that was changed', async () => {
      expect(await world.drift()).toEqual([])
    })

    describe('names', () => {
      it.each(tables)('the table $text', async ({ document }) => {
        expect(await world.source(document, '1')).toBe('{"id":1,"label":"changed"}')
        expect(await world.source(document, '2')).toBeNull()
        expect(await world.count(document)).toBe(1)
      })

      it('of columns', async () => {
        const source = JSON.parse((await world.source('columns', 'x:1%25')) ?? 'null')
        expect(source).toEqual(
          Object.fromEntries([...columns.map((column, n) => [column, n]), ['Id 😀', 'x']]),
        )
      })

      it.each(refusedColumns)('the column %j cannot be a field', async (column, reason) => {
        await world.client.query(
          `DROP TABLE IF EXISTS unfit; CREATE TABLE unfit (id int PRIMARY KEY, ${quoteIdentifier(column)} int)`,
        )
        const definition: DocumentDefinition = { table: 'unfit', index: `${world.prefix}unfit` }
        await expect(world.install({ unfit: definition }, true)).rejects.toThrow(reason)
        await world.install({ unfit: { ...definition, fields: { id: 'id', other: column } } }, true)
      })
    })
  })
}

function expected({ name, becomes }: ValueCase, openSearch: boolean): unknown {
  if ('unstorable' in becomes) return becomes
  const named = (reason: string) => ({ refused: reason.replaceAll('$', name) })
  if (openSearch && becomes.onOpenSearch !== undefined) return named(becomes.onOpenSearch)
  return 'json' in becomes ? { json: becomes.json } : named(becomes.refused)
}

async function createGroup({ client }: ValuesWorld, { name, types, cases }: Group): Promise<void> {
  const columns = cases.map((item) => `${quoteIdentifier(item.name)} ${item.type}`)
  await client.query(types ?? '')
  await client.query(`CREATE TABLE ${quoteIdentifier(name)} (id int PRIMARY KEY, ${columns.join(', ')})`)
}

function definitionOf({ prefix }: ValuesWorld, { name, cases }: Group): DocumentDefinition {
  const properties = Object.fromEntries(
    cases.flatMap((item) => (item.mapping === undefined ? [] : [[item.name, item.mapping]])),
  )
  return { table: name, index: `${prefix}${name}`, mappings: { properties } }
}

/** A row for each case, in which all other columns are null, in one transaction: one mark, and the same batches. */
async function insertAll({ client }: ValuesWorld, { name, cases }: Group): Promise<void> {
  await client.query('BEGIN')
  for (const [id, item] of cases.entries()) {
    if (!isStorable(item)) continue
    const column = quoteIdentifier(item.name)
    await client.query(`INSERT INTO ${quoteIdentifier(name)} (id, ${column}) VALUES (${id}, ${item.value})`)
  }
  await client.query('COMMIT')
}

/** What became of a case: the document has to be the case's value among nulls, as text. */
function outcomeOf(group: Group, item: ValueCase, source: string | null, dead: string | undefined): unknown {
  if (dead !== undefined) return source === null ? { refused: dead } : { refused: dead, source }
  if (source === null) return null
  const nulls = (items: readonly ValueCase[]) =>
    items.map(({ name }) => `,${JSON.stringify(name)}:null`).join('')
  const at = group.cases.indexOf(item)
  const head = `{"id":${at}${nulls(group.cases.slice(0, at))},${JSON.stringify(item.name)}:`
  const tail = `${nulls(group.cases.slice(at + 1))}}`
  if (!source.startsWith(head) || !source.endsWith(tail)) return { source }
  return { json: source.slice(head.length, source.length - tail.length) }
}

/** Megabytes are compared by their hash. */
function short(value: unknown): unknown {
  const text = JSON.stringify(value)
  if (text.length < 2000) return value
  return `${text.slice(0, 200)}… ${text.length} ${createHash('sha256').update(text).digest('hex')}`
}

async function createNames({ client }: ValuesWorld): Promise<void> {
  for (const schema of schemas) await client.query(`CREATE SCHEMA ${quoteIdentifier(schema)}`)
  for (const { sql } of tables) await client.query(`CREATE TABLE ${sql} (id int PRIMARY KEY, label text)`)
  const declared = columns.map((column) => `${quoteIdentifier(column)} int`).join(', ')
  await client.query(
    `CREATE TABLE columns (${declared}, "Id 😀" text, "Id." text, PRIMARY KEY ("Id 😀", "Id."))`,
  )
}

function namesOf({ prefix }: ValuesWorld): Record<string, DocumentDefinition> {
  const definitions = tables.map(({ document, text }) => [
    document,
    { table: text, index: `${prefix}${document}` },
  ])
  return {
    ...Object.fromEntries(definitions),
    columns: {
      table: 'columns',
      index: `${prefix}columns`,
      fields: { ...Object.fromEntries(columns.map((c) => [c, c])), 'Id 😀': 'Id 😀' },
    },
  }
}

async function writeNames({ client }: ValuesWorld): Promise<void> {
  for (const { sql } of tables) {
    await client.query(`INSERT INTO ${sql} VALUES (1, 'new'), (2, 'new')`)
    await client.query(`UPDATE ${sql} SET label = 'changed' WHERE id = 1`)
    await client.query(`DELETE FROM ${sql} WHERE id = 2`)
  }
  const named = columns.map((column) => quoteIdentifier(column)).join(', ')
  await client.query(
    `INSERT INTO columns ("Id 😀", "Id.", ${named}) VALUES ('x', '1%', ${columns.map((_, n) => n).join(', ')})`,
  )
}
