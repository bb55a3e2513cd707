import { describe, expect, it } from 'vitest'
import { column } from './catalog-tables.ts'
import { city, cityTag, key, plan, review, type World } from './planned-relation.ts'
import { refusal } from './refusal.ts'

describe('a relation is refused', () => {
  const reserved = { ...city, columns: [...city.columns, column('_id')] }
  it.each<[string, World, RegExp]>([
    [
      'two foreign keys',
      {
        relation: { one: 'geo.country' },
        tables: [{ ...city, foreignKeys: [key('country_id', 'country'), key('parent_id', 'country')] }],
      },
      /^documents\.city\.relations\.r: geo\.city has two foreign keys to geo\.country, state "on"\n.*Write on: \{ country_id: 'id' \} or on: \{ parent_id: 'id' \}\./,
    ],
    [
      'two foreign keys of theirs',
      {
        relation: { many: 'geo.review' },
        tables: [{ ...review, foreignKeys: [key('city_id', 'city'), key('id', 'city')] }],
      },
      /r: geo\.review has two foreign keys to geo\.city, state "on"\n.*on: \{ id: 'city_id' \} or on: \{ id: 'id' \}/,
    ],
    [
      'no foreign key',
      { relation: { many: 'geo.tag' } },
      /r: geo\.tag has no foreign key to geo\.city, state "on"\n.*Write on: \{ 'column of geo\.city': 'column of geo\.tag' \}/,
    ],
    [
      'one the other way',
      { relation: { many: 'geo.country' } },
      /r: geo\.country has no foreign key to geo\.city, state "on"\n.*geo\.city has one to geo\.country: write on: \{ country_id: 'id' \} if/,
    ],
    [
      'two of the table in between',
      {
        relation: { many: 'geo.city', through: { table: 'geo.city_tag' } },
        tables: [{ ...cityTag, foreignKeys: [key('city_id', 'city'), key('tag_id', 'city')] }],
      },
      /r\.through: geo\.city_tag has two foreign keys to geo\.city, state "on"/,
    ],
    [
      'two to the related table',
      {
        relation: { many: 'geo.city', through: { table: 'geo.city_tag', on: { id: 'city_id' } } },
        tables: [{ ...cityTag, foreignKeys: [key('city_id', 'city'), key('tag_id', 'city')] }],
      },
      /r\.through: geo\.city_tag has two foreign keys to geo\.city, state "to"\n.*to: \{ city_id: 'id' \} or to: \{ tag_id: 'id' \}/,
    ],
    [
      'one that may be several',
      { relation: { one: 'geo.review', on: { id: 'city_id' } } },
      /r: city_id is not unique in geo\.review.*\n.*many: "geo\.review" with orderBy and limit: 1/,
    ],
    [
      'one that may be several, though it is part of what is unique',
      {
        relation: { one: 'geo.review', on: { id: 'city_id' } },
        tables: [{ ...review, indexes: [{ columns: ['city_id', 'at'], unique: true }] }],
      },
      /r: city_id is not unique in geo\.review/,
    ],
    [
      'three foreign keys, of several columns and odd names',
      {
        relation: { one: 'geo.country' },
        tables: [
          {
            ...city,
            foreignKeys: ['1st', 'a b', 'c'].map((name) => ({
              ...key(name, 'country'),
              columns: [name, 'name'],
              there: ['id', 'name'],
            })),
          },
        ],
      },
      /has three foreign keys .*\n.*Write on: \{ "1st": 'id', name: 'name' \} or on: \{ "a b": 'id', name: 'name' \} or on: \{ c: 'id', name: 'name' \}\./,
    ],
    [
      'unknown table',
      { relation: { many: 'geo.reviews' } },
      /r\.many: there is no table "geo\.reviews" \(did you mean "geo\.review"\?\)/,
    ],
    [
      'unknown table of one',
      { relation: { one: 'geo.contry' } },
      /r\.one: there is no table "geo\.contry" \(did you mean "geo\.country"\?\)/,
    ],
    [
      'unknown table in between',
      { relation: { many: 'geo.tag', through: { table: 'x' } } },
      /r\.through\.table: there is no table "x"/,
    ],
    [
      'a view',
      { relation: { many: 'geo.review' }, tables: [{ ...review, kind: 'v' }] },
      /r\.many: geo\.review is a view/,
    ],
    [
      'unknown column here',
      { relation: { one: 'geo.country', on: { contry_id: 'id' } } },
      /r\.on: geo\.city has no column "contry_id" \(did you mean "country_id"\?\)/,
    ],
    [
      'unknown column here, of a table in between',
      { relation: { many: 'geo.tag', on: { idd: 'city_id' }, through: { table: 'geo.city_tag' } } },
      /relations\.r\.on: geo\.city has no column "idd"/,
    ],
    [
      'unknown column there',
      { relation: { one: 'geo.country', on: { country_id: 'idd' } } },
      /r\.on: geo\.country has no column "idd"/,
    ],
    [
      'columns of different types',
      { relation: { one: 'geo.country', on: { name: 'id' } } },
      /r\.on: geo\.city\.name is text and geo\.country\.id is int4: they cannot be compared/,
    ],
    [
      'a type that cannot be text',
      { relation: { many: 'geo.city', on: { id: 'size' } } },
      /r\.on: geo\.city\.size is float8, which cannot link rows: its text depends/,
    ],
    [
      'a virtual column',
      { relation: { many: 'geo.city', on: { id: 'born' } } },
      /geo\.city\.born is a virtual generated column/,
    ],
    [
      'an order that is none',
      { relation: { many: 'geo.review', orderBy: 'att' } },
      /r\.orderBy: geo\.review has no column "att" \(did you mean "at"\?\)/,
    ],
    [
      'an order of what has none',
      { relation: { many: 'geo.tag', through: { table: 'geo.city_tag' }, orderBy: 'shape desc' } },
      /r\.orderBy: geo\.tag\.shape is point, which has no order/,
    ],
    [
      'an unknown field',
      { relation: { many: 'geo.review', fields: ['att'] } },
      /r\.fields\[0\]: geo\.review has no column "att"/,
    ],
    [
      'a value that is none of its fields',
      { relation: { many: 'geo.review', flatten: 'att' } },
      /r\.flatten: "att" is none of its fields\n.*id, city_id, at/,
    ],
    [
      'the name of a column',
      { relation: { many: 'geo.review' }, definition: { relations: { name: { many: 'geo.review' } } } },
      /documents\.city\.relations\.name: the field "name" is there twice\n.*omit: \["name"\]/,
    ],
    [
      'a reserved name',
      { relation: { many: 'geo.review' }, definition: { relations: { _id: { many: 'geo.review' } } } },
      /"_id" is a name that Elasticsearch keeps/,
    ],
    [
      'a tenant that is no column',
      { relation: { one: 'geo.country' }, definition: { tenant: 'tenant' } },
      /documents\.city\.tenant: geo\.city has no column "tenant"/,
    ],
    [
      'a routing of an odd type',
      { relation: { one: 'geo.country' }, definition: { routing: 'size' } },
      /documents\.city\.routing: geo\.city\.size is float8, which cannot be an address/,
    ],
    [
      'a virtual routing',
      { relation: { one: 'geo.country' }, definition: { routing: 'born' } },
      /documents\.city\.routing: geo\.city\.born is a virtual/,
    ],
  ])('%s', (_, world, expected) => {
    const text = refusal(() => plan(world))
    expect(text).toMatch(expected)
    expect(text).toMatch(/^documents\.city\..*\n {2}→ \S/)
  })

  it('but a related row may have such a name', () => {
    expect(
      plan({ relation: { many: 'geo.city' }, tables: [reserved], definition: { fields: ['id'] } }).mappings,
    ).toMatchObject({
      properties: { r: { properties: { _id: { type: 'integer' } } } },
    })
  })
})
