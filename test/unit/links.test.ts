import { describe, expect, test } from 'vitest'
import type { BaseType, Column, Table } from '../../src/catalog/types.ts'
import { keyCast, keyTypeProblem } from '../../src/documents/key-sql.ts'
import { comparable, equalSql, linkCast, planPair } from '../../src/documents/links.ts'

const type = (name: string, more: Partial<BaseType> = {}): BaseType => ({
  ...{ name, schema: 'pg_catalog', kind: 'base', array: false },
  ...more,
})

describe('columns of two types link rows', () => {
  const citext = type('citext', { schema: 'ext' })
  test.each<[BaseType, BaseType, boolean]>([
    [type('int2'), type('int4'), true],
    [type('int8'), type('int2'), true],
    [type('text'), type('varchar'), true],
    [type('uuid'), type('uuid'), true],
    [citext, citext, true],
    [type('int4'), type('text'), false],
    [type('text'), type('bpchar'), false],
    [type('numeric'), type('int4'), false],
    // What bears the name of another schema's type is another one.
    [citext, type('citext', { schema: 'mine' }), false],
    [type('int4'), type('int8', { schema: 'mine' }), false],
    [type('int8', { schema: 'mine' }), type('int4'), false],
  ])('%j and %j: %s', (a, b, expected) => {
    expect(comparable(a, b)).toBe(expected)
  })
})

describe('a pair of columns', () => {
  const tableOf = (name: string, column: Partial<Column>) =>
    ({
      schema: 'public',
      name,
      columns: [{ name: 'c', type: 'text', baseType: type('text'), ...column }],
    }) as unknown as Table
  const pairOf = (here: Partial<Column>, there: Partial<Column>) =>
    planPair(tableOf('here', here), 'c', tableOf('there', there), 'c', 'documents.city')
  const inSql = (here: Partial<Column>, there: Partial<Column>) =>
    equalSql(pairOf(here, there), 'there', 'here')

  test('is compared by the collation of the column there, as a foreign key does, where they have two', () => {
    const [c, de] = [{ collation: '"C"' }, { collation: '"de-x-icu"' }]
    expect(inSql(c, de)).toBe('there = here COLLATE "de-x-icu"')
    expect(inSql(de, c)).toBe('there = here COLLATE "C"')
    for (const [here, there] of [
      [c, c],
      [{}, c],
      [c, {}],
      [{}, {}],
    ] as const) {
      expect(inSql(here, there)).toBe('there = here')
    }
  })

  test('of an extension’s type is compared by its operator, whatever search_path says; enums by that of Postgres', () => {
    const ext = { baseType: type('citext', { schema: 'Ext' }) }
    const mood = { baseType: type('mood', { schema: 'mine', kind: 'enum' }) }
    expect([inSql(ext, ext), inSql(mood, mood)]).toEqual(['there OPERATOR("Ext".=) here', 'there = here'])
  })

  test('is looked up as a whole number that no value there is too large for', () => {
    const cast = (here: string, there: string) =>
      linkCast(pairOf({ baseType: type(here) }, { baseType: type(there) }))
    expect([
      cast('int4', 'int8'),
      cast('int2', 'int4'),
      cast('int4', 'int4'),
      cast('text', 'varchar'),
    ]).toEqual([...['pg_catalog.int8', 'pg_catalog.int8', 'pg_catalog.int4', 'pg_catalog.text']])
  })
})

describe('a column can be part of a key', () => {
  test.each([
    ...[
      'int2',
      'int4',
      'int8',
      'oid',
      'numeric',
      'text',
      'varchar',
      'bpchar',
      'char',
      'name',
      'uuid',
      'bool',
      'date',
    ],
    ...[
      'timestamp',
      'timestamptz',
      'time',
      'bytea',
      'inet',
      'cidr',
      'macaddr',
      'macaddr8',
      'bit',
      'varbit',
      'pg_lsn',
    ],
  ])('of type %s', (name) => {
    expect(keyTypeProblem(type(name))).toBeNull()
  })

  test.each(['citext', 'ltree'])('of type %s, wherever it is', (name) => {
    expect(keyTypeProblem(type(name, { schema: 'ext' }))).toBeNull()
  })

  test('of an enum’s type', () => {
    expect(keyTypeProblem(type('mood', { schema: 'mine', kind: 'enum' }))).toBeNull()
  })

  test.each<[string, BaseType, RegExp]>([
    ['arrays', type('int4', { array: true }), /array/],
    ['arrays of enums', type('mood', { kind: 'enum', array: true }), /array/],
    [
      'a composite called as a known type',
      type('name', { schema: 'mine', kind: 'composite' }),
      /no text that sluice knows/,
    ],
    ['real', type('float4'), /extra_float_digits/],
    ['double precision', type('float8'), /extra_float_digits/],
    ['interval', type('interval'), /IntervalStyle/],
    ['money', type('money'), /lc_monetary/],
    ['timetz', type('timetz'), /different texts/],
    ['json', type('json'), /no text that sluice knows/],
  ])('but not of %s, and the reason is told', (_, of, why) => {
    expect(keyTypeProblem(of)).toMatch(why)
  })

  test('and its text is cast back to that type, not to what its bare name means: char is bpchar(1)', () => {
    expect(keyCast(type('int8'))).toBe('pg_catalog.int8')
    expect(keyCast(type('char'))).toBe('"pg_catalog"."char"')
    expect(keyCast(type('mood', { schema: 'mine' }))).toBe('"mine"."mood"')
    expect(keyCast(type('my type'))).toBe('"pg_catalog"."my type"')
    expect(keyCast(type('2D'))).toBe('"pg_catalog"."2D"')
  })
})
