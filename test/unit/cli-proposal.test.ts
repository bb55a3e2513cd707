import { expect, test } from 'vitest'
import { catalogOf } from '../../src/catalog/read-catalog.ts'
import type { Column, Table } from '../../src/catalog/types.ts'
import { documentName, propose } from '../../src/cli/proposal.ts'
import { indexProblem } from '../../src/config/index-name.ts'
import * as catalog from './catalog-tables.ts'

const column = (name: string, type = 'text', notNull = false) => catalog.column(name, type, { notNull })

/** A table of the schema `public` with the columns `id` and `more`. */
const table = (name: string, more: readonly Column[] = [], details: Partial<Table> = {}) =>
  catalog.table(name, [column('id', 'int8', true), ...more], { schema: 'public', indexes: [], ...details })

const proposed = (...tables: Table[]) => propose(catalogOf(tables, 180000), 'sluice')

test('a table without a primary key is left out, and the reason says so', () => {
  const log = table('log', [], { primaryKey: [], uniqueKeys: [] })
  expect(proposed(log)).toEqual({
    documents: [],
    skipped: [{ table: 'log', reason: expect.stringMatching(/^log has no primary key\. Add a primary key/) }],
  })
})

test('without a primary key, what is unique and never null is the id: the fewest columns, none that looks secret', () => {
  const columns = [column('a', 'text', true), column('b', 'text', true), column('token', 'text', true)]
  const state = table('state', columns, { primaryKey: [], uniqueKeys: [['token'], ['a', 'b'], ['id']] })
  const { documents, skipped } = proposed(state)
  expect(skipped).toEqual([])
  expect(documents).toEqual([
    {
      name: 'state',
      definition: { table: 'state', index: 'state', omit: ['token'], id: ['id'] },
      notes: ['without a primary key: id is unique, too', 'token is left out: its name looks like a secret'],
    },
  ])
  const secretOnly = table('session', columns, { primaryKey: [], uniqueKeys: [['token']] })
  expect(proposed(secretOnly).documents).toEqual([])
})

test('another unique key stands in for a primary key whose text is not settled', () => {
  const more = [column('share', 'float8', true), column('code', 'text', true)]
  const uniqueKeys = [['share'], ['code']]
  const { documents } = proposed(table('part', more, { primaryKey: ['share'], uniqueKeys }))
  expect(documents[0]?.definition.id).toEqual(['code'])
  expect(documents[0]?.notes).toEqual(['its primary key cannot be the id: code is unique, too'])
  const second = proposed(table('part', more, { primaryKey: [], uniqueKeys }))
  expect(second.documents[0]?.definition.id).toEqual(['code'])
  const alone = proposed(table('part', more, { primaryKey: ['share'], uniqueKeys: [['share']] }))
  expect(alone.skipped[0]?.reason).toMatch(/^part\.share is float8, which cannot be a key/)
})

test.each([
  ['_source', '"_source" is a name that Elasticsearch keeps for itself'],
  ['_id', '"_id" is a name that Elasticsearch keeps for itself'],
  ['size.', '"size." is no field name: a part of it is empty'],
  ['__proto__', '"__proto__" is a name that JavaScript keeps for itself'],
  ['id.of.it', 'id is a column too, and cannot hold it'],
])('a column %s is left out, not its table', (name, why) => {
  const { documents, skipped } = proposed(table('imported', [column(name), column('size.width')]))
  expect(skipped).toEqual([])
  expect(documents[0]?.definition.omit).toEqual([name])
  expect(documents[0]?.notes).toEqual([`${name} is left out: ${why}; give it another with "fields"`])
})

test('an _id that is the primary key remains the id', () => {
  const keyed = table('imported', [column('_id', 'text', true)], {
    primaryKey: ['_id'],
    uniqueKeys: [['_id']],
  })
  expect(proposed(keyed).documents[0]?.definition).toEqual({
    table: 'imported',
    index: 'imported',
    omit: ['_id'],
  })
})

test('whatever tables are called, each gets a name of its own, which Elasticsearch takes', () => {
  const long = 'x'.repeat(60)
  const names = ['Order Details', 'order_details', 'ORDER-DETAILS', '_hidden', '-', '城市', '町', '2026']
  const tables = [...names, `${long}1`, `${long}2`, `${long}3`].map((name) => table(name))
  const other = table('order_details', [], { schema: 'shop' })
  const { documents, skipped } = proposed(...tables, other)
  expect(skipped).toEqual([])
  const indices = documents.map(({ definition }) => definition.index)
  expect(new Set(indices).size).toBe(tables.length + 1)
  for (const index of indices) expect([index, indexProblem(index)]).toEqual([index, null])
  expect(indices.every((index) => /^[a-z][a-z0-9_]{0,39}$/.test(index))).toBe(true)
})

test.each([
  'password',
  'passwd',
  'client_secret',
  'Token',
  'api_key',
  'apikey',
  'PRIVATE_KEY',
  'privatekey',
  'credentials',
])('a column %s goes into no document, and its table goes where it would be the _id', (name) => {
  const { documents, skipped } = proposed(
    table('account', [column(name)]),
    table('session', [column(name, 'text', true)], { primaryKey: [name], uniqueKeys: [[name]] }),
  )
  expect(documents.map(({ definition }) => definition)).toEqual([
    { table: 'account', index: 'account', omit: [name] },
  ])
  expect(skipped).toEqual([
    { table: 'session', reason: `its key, ${name}, looks like a secret, and would be the _id` },
  ])
})

test('views, partitions and our own tables are not spoken of; a table of a migration tool is', () => {
  const ours = table('sync_queue', [], { schema: 'sluice' })
  const view = table('report', [], { kind: 'v' })
  const partition = table('log_2026', [], { partitionOf: { schema: 'public', name: 'log' } })
  const tools = ['knex_migrations', 'knex_migrations_lock', 'databasechangelog', 'databasechangeloglock']
  const own = ['my_knex_migrations', 'databasechangelog_old'].map((name) => table(name))
  expect(proposed(ours, view, partition, ...tools.map((name) => table(name)), ...own)).toMatchObject({
    documents: [{ name: 'my_knex_migrations' }, { name: 'databasechangelog_old' }],
    skipped: tools.map((name) => ({ table: name, reason: "a migration tool's own table" })),
  })
})

test.each([
  ['city', 'city'],
  ['OrderItem2Line', 'order_item2_line'],
  ['Order  Details', 'order_details'],
  ['__x--Y__', 'x_y'],
  ['2026_log', 't_2026_log'],
  ['Städte', 'st_dte'],
])('a table %s is the document %s', (name, document) => expect(documentName(name)).toBe(document))

test('a name that is taken gets its schema before it, or a number after it', () => {
  const tables = [
    ...['a_b', 'a-b', 'a b', 'A B'].map((name) => table(name)),
    table('a_b', [], { schema: 'shop' }),
  ]
  expect(proposed(...tables).documents.map(({ name }) => name)).toEqual([
    ...['a_b', 'public_a_b', 'a_b_2', 'a_b_3', 'shop_a_b'],
  ])
})

test('a key of several columns is named as a whole, and not taken where one looks secret', () => {
  const columns = [column('a', 'text', true), column('b', 'text', true), column('token', 'text', true)]
  const withKey = (key: readonly string[]) =>
    proposed(table('state', columns, { primaryKey: [], uniqueKeys: [key] })).documents
  expect(withKey(['a', 'b'])[0]?.notes[0]).toBe('without a primary key: a, b is unique, too')
  expect(withKey(['a', 'token'])).toEqual([])
})

test('a column below a column below a column is left out', () => {
  const { documents } = proposed(table('imported', [column('a.b'), column('a.b.c')]))
  expect(documents[0]?.definition.omit).toEqual(['a.b.c'])
  expect(documents[0]?.notes[0]).toContain('a.b is a column too')
})
