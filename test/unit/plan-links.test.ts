import { describe, expect, it } from 'vitest'
import type { Relation } from '../../src/config/types.ts'
import { column, table } from './catalog-tables.ts'
import { city, country, key, plan, review, tag, type World } from './planned-relation.ts'

/** What the relation is linked by: the columns of marks, and those they are compared with. */
function link(world: World) {
  const { sources } = plan(world)
  return sources.slice(1).map(({ source, table: { name }, key: columns, expansion }) => ({
    source,
    table: name,
    key: columns.map((part) => part.name).join(),
    from: expansion?.viewSql.split('\nFROM ')[1],
  }))
}

describe('a link is found by the foreign key', () => {
  it('of ours, for one', () => {
    expect(link({ relation: { one: 'geo.country' } })).toMatchObject([{ source: 'r', key: 'id' }])
  })

  it('of theirs, for many', () => {
    expect(link({ relation: { many: 'geo.review' } })).toMatchObject([{ table: 'review', key: 'city_id' }])
  })

  it('of theirs for one, where it is unique and there is none of ours', () => {
    const unique = { ...review, indexes: [{ columns: ['city_id'], unique: true }] }
    expect(link({ relation: { one: 'geo.review' }, tables: [unique] })).toMatchObject([{ key: 'city_id' }])
    const both = { ...country, foreignKeys: [key('capital_id', 'city')] }
    expect(link({ relation: { one: 'geo.country' }, tables: [both] })).toMatchObject([{ key: 'id' }])
  })

  it('of a table to itself: up for one, down for many', () => {
    expect(link({ relation: { one: 'geo.city' } })).toMatchObject([{ key: 'id' }])
    expect(link({ relation: { many: 'geo.city' } })).toMatchObject([{ key: 'parent_id' }])
  })

  it('of a table of that schema', () => {
    const elsewhere = { ...key('parent_id', 'country'), table: { schema: 'public', name: 'country' } }
    const tables = [{ ...city, foreignKeys: [...city.foreignKeys, elsewhere] }]
    expect(link({ relation: { one: 'geo.country' }, tables })).toHaveLength(1)
  })

  it('of ours to the table in between, and of the related one to it', () => {
    const between = table('city_tag', [column('id')])
    const tables = [
      between,
      { ...city, foreignKeys: [key('parent_id', 'city_tag')] },
      {
        ...tag,
        columns: [...tag.columns, column('between_id')],
        foreignKeys: [key('between_id', 'city_tag')],
      },
    ]
    const relation: Relation = { many: 'geo.tag', through: { table: 'geo.city_tag' } }
    expect(link({ relation, tables })).toMatchObject([
      { table: 'tag', key: 'between_id' },
      { table: 'city_tag', key: 'id' },
    ])
  })

  it('of the table in between, to both sides', () => {
    expect(link({ relation: { many: 'geo.tag', through: { table: 'geo.city_tag' } } })).toMatchObject([
      { source: 'r', table: 'tag', key: 'id' },
      { source: 'r:through', table: 'city_tag', key: 'city_id' },
    ])
  })

  it('once, where two constraints say the same', () => {
    const twice = {
      ...city,
      foreignKeys: [...city.foreignKeys, { ...key('country_id', 'country'), name: 'again' }],
    }
    expect(link({ relation: { one: 'geo.country' }, tables: [twice] })).toHaveLength(1)
  })
})

describe('a view from links to documents', () => {
  it('reads what is between them, not the changed table', () => {
    const { sources } = plan({
      relation: { many: 'geo.review', relations: { city: { one: 'geo.city' } } },
    })
    expect(sources.map(({ expansion }) => expansion)).toEqual([
      null,
      {
        view: 'links_city.r',
        viewSql: `CREATE VIEW "sluice"."links_city.r" AS
SELECT sluice_row_0.sluice_down_1_1 AS link_1, sluice_row_0.sluice_key AS key
FROM (SELECT ("city"."id")::text AS sluice_key, "city"."id" AS sluice_down_1_1 FROM "geo"."city") AS sluice_row_0`,
        links: ['pg_catalog.int4'],
      },
      {
        view: 'links_city.r.city',
        viewSql: `CREATE VIEW "sluice"."links_city.r.city" AS
SELECT sluice_row_1.sluice_down_1_1 AS link_1, sluice_row_0.sluice_key AS key
FROM (SELECT ("city"."id")::text AS sluice_key, "city"."id" AS sluice_down_1_1 FROM "geo"."city") AS sluice_row_0
JOIN (SELECT "review"."city_id" AS sluice_up_1, "review"."city_id" AS sluice_down_1_1 FROM "geo"."review") AS sluice_row_1 ON sluice_row_1.sluice_up_1 = sluice_row_0.sluice_down_1_1`,
        links: ['pg_catalog.int4'],
      },
    ])
  })
})
