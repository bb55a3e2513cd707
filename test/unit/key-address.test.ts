import { describe, expect, test } from 'vitest'
import { addressOf, keysAt } from '../../src/documents/key-address.ts'

const column = (name: string) => ({ name, type: 'pg_catalog.text' })
const plan = (
  columns: readonly string[],
  idParts: number,
  address: { tenant: number | null; routing: number | null },
  index = address.tenant === null ? 'cities' : 'cities-{tenant}',
) => ({ index, key: columns.map(column), idParts, address })

describe('where the document of a key is', () => {
  test.each([
    [plan(['id'], 1, { tenant: null, routing: null }), ['7'], { alias: 'cities', routing: null }],
    [plan(['id', 't'], 1, { tenant: 1, routing: null }), ['7', 'A'], { alias: 'cities-_41', routing: null }],
    [plan(['id', 't'], 1, { tenant: 1, routing: 1 }), ['7', 'a'], { alias: 'cities-a', routing: 'a' }],
    [plan(['id', 'r'], 1, { tenant: null, routing: 1 }), ['7', null], { alias: 'cities', routing: null }],
    [plan(['id', 'r'], 1, { tenant: null, routing: 1 }), ['7', ''], { alias: 'cities', routing: null }],
    [plan(['t', 'id'], 2, { tenant: 0, routing: 0 }), ['a', '7'], { alias: 'cities-a', routing: 'a' }],
  ])('%j %j', (of, parts, address) => {
    expect(addressOf(of, parts)).toEqual(address)
  })
})

describe('the keys of a document that was found', () => {
  const keys = (of: ReturnType<typeof plan>, alias: string, id: string, routing: string | null) =>
    keysAt(of, { alias, id, routing }).map(({ key }) => key)

  test('of an id alone is that id', () => {
    const of = plan(['id'], 1, { tenant: null, routing: null })
    expect(keys(of, 'cities', '7', null)).toEqual(['7'])
    // Nobody writes it so.
    expect(keys(of, 'cities', '7', 'x')).toEqual([])
  })

  test('of a routing hold it; without one the column may be null or empty', () => {
    const of = plan(['id', 'r'], 1, { tenant: null, routing: 1 })
    expect(keys(of, 'cities', '7', 'x')).toEqual(['["7", "x"]'])
    expect(keys(of, 'cities', '7', null)).toEqual(['["7", null]', '["7", ""]'])
  })

  test('of a tenant hold what its index is named by', () => {
    const of = plan(['id', 't', 'r'], 1, { tenant: 1, routing: 2 })
    expect(keys(of, 'cities-_41', '7', 'x')).toEqual(['["7", "A", "x"]'])
    expect(keys(of, 'cities-_null', '7', 'x')).toEqual(['["7", null, "x"]'])
    expect(keys(of, 'other', '7', 'x')).toEqual([])
  })

  test('are none where one column is both, and they differ', () => {
    const of = plan(['id', 't'], 1, { tenant: 1, routing: 1 })
    expect(keys(of, 'cities-a', '7', 'a')).toEqual(['["7", "a"]'])
    expect(keys(of, 'cities-a', '7', 'b')).toEqual([])
    expect(keys(of, 'cities-a', '7', null)).toEqual([])
    expect(keys(of, 'cities-_empty', '7', null)).toEqual(['["7", ""]'])
  })

  test('are none where an address is part of the id, and the document is elsewhere', () => {
    const of = plan(['t', 'id'], 2, { tenant: 0, routing: null })
    expect(keys(of, 'cities-a', 'a:7', null)).toEqual(['["a", "7"]'])
    expect(keys(of, 'cities-b', 'a:7', null)).toEqual([])
    expect(keys(of, 'cities-a', 'a', null)).toEqual([])
  })
})
