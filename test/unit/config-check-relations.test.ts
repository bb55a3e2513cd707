import { describe, expect, it } from 'vitest'
import { checkConfig } from '../../src/config/check.ts'

/** `where: what` of every problem of a document, and its remedy. */
function problemsIn(more: Readonly<Record<string, unknown>>): string[] {
  const config = { documents: { city: { table: 'geo.city', index: 'cities', ...more } } }
  return checkConfig(config).problems.map(
    ({ where, what, remedy }) => `${where}: ${what}${remedy === undefined ? '' : ` → ${remedy}`}`,
  )
}

const country = { one: 'geo.country' }
const reviews = { many: 'geo.review' }
const at = 'documents.city.relations'

describe('relations that are right', () => {
  it('come back as they were written, at any depth', () => {
    const relations = {
      country: { ...country, fields: ['code'], on: { country_code: 'code' } },
      'all reviews': {
        ...reviews,
        where: 'approved',
        orderBy: ['at desc', 'id'],
        limit: 10,
        nested: true,
        relations: { author: { one: 'author', omit: ['secret'], relations: { home: { one: 'place' } } } },
      },
      languages: {
        many: 'geo.language',
        through: {
          table: 'geo.country_language',
          on: { country_code: 'country_code' },
          to: { language: 'code' },
        },
        fields: { label: { sql: 'upper(name)' } },
        flatten: 'label',
      },
    }
    const config = { documents: { city: { table: 'geo.city', index: 'cities', relations } } }
    expect(checkConfig(config)).toEqual({ value: config, problems: [] })
  })

  it('may have a table in between that is linked by "on" of either', () => {
    const through = { table: 'geo.country_language', to: { language: 'code' } }
    const on = { country_code: 'country_code' }
    expect(problemsIn({ relations: { a: { many: 'geo.language', on, through } } })).toEqual([])
    expect(problemsIn({ relations: { a: { many: 'geo.language', through: { ...through, on } } } })).toEqual(
      [],
    )
  })
})

describe('relations that are wrong', () => {
  it.each<[relation: Record<string, unknown>, problem: string]>([
    [{}, ': names no table → Write { one: "table" } for one object, { many: "table" } for an array.'],
    [
      { ...country, ...reviews },
      '.many: given together with "one", expected one of the two → Keep "one" for one object, "many" for an array.',
    ],
    ...(
      [
        ['through', { table: 'x' }],
        ['orderBy', 'id'],
        ['nested', true],
      ] as const
    ).map(([key, value]): [Record<string, unknown>, string] => [
      { ...country, [key]: value },
      `.${key}: given together with "one", expected with "many" only → Remove "${key}", or take "many".`,
    ]),
    [
      { ...reviews, limit: 3 },
      '.limit: given without "orderBy", which says what the first ones are → Name a column in "orderBy".',
    ],
    [
      { ...reviews, fields: ['id'], omit: ['at'] },
      '.omit: given together with "fields", expected one of the two → List the columns to take in "fields", or those to leave out in "omit".',
    ],
    [
      { ...reviews, flatten: 'title', nested: true },
      '.nested: given together with "flatten", which takes one value of each row → Remove "nested" or "flatten".',
    ],
    [
      { ...reviews, flatten: 'title', relations: { country } },
      '.relations: given together with "flatten", which takes one value of each row → Remove "relations" or "flatten".',
    ],
    [
      { ...reviews, flatten: 'title', fields: { label: 'title', of: 'city_id' } },
      '.flatten: got "title", expected one of its fields: label, of → Name the field to take of each row.',
    ],
    [
      { ...reviews, on: { a: 'b' }, through: { table: 'x', on: { a: 'b' } } },
      '.on: given together with "through.on", which means the same → Remove one of the two.',
    ],
    [
      { ...reviews, fields: ['id', 'a'], relations: { a: country } },
      '.relations.a: got "a", which is a field too → Rename one of the two.',
    ],
    [
      { ...reviews, orderby: 'id' },
      '.orderby: is not a known key (did you mean "orderBy"?) → Known here: one, many, on, through, fields, omit, where, orderBy, limit, nested, flatten, relations.',
    ],
    [
      { ...reviews, through: { table: 'x', too: { a: 'b' } } },
      '.through.too: is not a known key (did you mean "to"?) → Known here: table, on, to.',
    ],
    [{ many: 'a.b.c' }, '.many: got "a.b.c", expected a table: "schema.table", or "table" for public.table'],
    [{ ...reviews, orderBy: [] }, '.orderBy: got [], expected a list of columns: at least one'],
    [{ ...reviews, on: {} }, '.on: got {}, expected at least one pair of columns'],
    [
      { ...reviews, orderBy: 'id', limit: 0 },
      '.limit: got 0, expected a whole number of related rows from 1 to 10000',
    ],
  ])('%j', (relation, problem) => {
    expect(problemsIn({ relations: { r: relation } })).toEqual([`${at}.r${problem}`])
    // The same one level down.
    expect(problemsIn({ relations: { outer: { ...reviews, relations: { r: relation } } } })).toEqual([
      `${at}.outer.relations.r${problem}`,
    ])
  })

  it('have a name that is a field of the row, or that no path can hold', () => {
    expect(problemsIn({ fields: { 'geo.lat': 'lat' }, relations: { geo: country } })).toEqual([
      `${at}.geo: got "geo", which is a field too → Rename one of the two.`,
    ])
    expect(problemsIn({ relations: { 'a.b': country } })).toEqual([
      `${at}["a.b"]: got "a.b", expected a field name without "." or ":"`,
    ])
  })

  it.each(['geo.country', null, 7])('are no more than wrong where they are %j', (relation) => {
    expect(problemsIn({ relations: { a: relation } })).toEqual([
      `${at}.a: got ${JSON.stringify(relation)}, expected a relation: { one: "table" } or { many: "table" }, …`,
    ])
  })

  it('limit and sort what is one row', () => {
    expect(problemsIn({ relations: { a: { ...country, orderBy: 'id', limit: 3 } } })).toEqual(
      ['orderBy', 'limit'].map(
        (key) =>
          `${at}.a.${key}: given together with "one", expected with "many" only → Remove "${key}", or take "many".`,
      ),
    )
  })
})

describe('documents made by SQL', () => {
  const sql = 'SELECT id, name FROM line WHERE id = ANY ($1)'
  const dependsOn = { line: 'report_id' }

  it('need an id and what they depend on', () => {
    expect(problemsIn({ sql, id: ['id'], dependsOn })).toEqual([])
    expect(problemsIn({ sql, id: ['id'], dependsOn: {} })).toEqual([
      'documents.city.dependsOn: got {}, expected at least one table',
    ])
    expect(problemsIn({ sql })).toEqual([
      'documents.city.id: is missing, and "sql" needs it → Name the columns of "table" that are the id.',
      'documents.city.dependsOn: is missing, and "sql" needs it → Name each table that the query reads, and its column that holds the id.',
    ])
  })

  it('say in SQL what others say in keys', () => {
    const told = (key: string) =>
      `documents.city.${key}: given together with "sql", which says it all → Say it in "sql", and remove "${key}".`
    const others = { fields: ['id'], relations: { country }, where: 'active' }
    expect(problemsIn({ sql, id: ['id'], dependsOn, ...others })).toEqual(Object.keys(others).map(told))
    expect(problemsIn({ sql, id: ['id'], dependsOn, omit: ['secret'] })).toEqual([told('omit')])
  })

  it('are the only ones that name what they depend on', () => {
    expect(problemsIn({ dependsOn })).toEqual([
      'documents.city.dependsOn: given without "sql" → What "relations" read is watched as it is: remove "dependsOn".',
    ])
  })
})

it('an index for each tenant needs the column that says whose row it is', () => {
  const problem =
    'documents.city.index: got "cities-{tenant}", and there is no "tenant" → Name the column that {tenant} stands for.'
  expect(problemsIn({ index: 'cities-{tenant}' })).toContain(problem)
  expect(problemsIn({ index: 'cities-{tenant}', tenant: 'tenant_id' })).not.toContain(problem)
})
