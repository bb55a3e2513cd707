import { describe, expect, it, test } from 'vitest'
import type { Relation } from '../../src/config/types.ts'
import { column } from './catalog-tables.ts'
import { city, cityTag, index, plan, review, type World } from './planned-relation.ts'

describe('what an operator is told', () => {
  it('the time, which passes for related rows too', () => {
    const { warnings } = plan({ relation: { many: 'geo.review', where: 'old(at)' } })
    expect(warnings).toEqual([
      expect.stringContaining('documents.city.relations.r.where: "old(at)" depends on the time'),
      'documents.city.relations.r.where: is slow',
    ])
  })

  it('fields that flatten leaves unused', () => {
    const relation: Relation = { many: 'geo.review', fields: ['id', 'at'], flatten: 'at' }
    expect(plan({ relation }).warnings).toEqual([
      'documents.city.relations.r.fields: "flatten" takes at alone, id is not used',
    ])
  })

  it('nothing of fields where none is unused, at any depth', () => {
    const told = (relation: Relation) => plan({ relation }).warnings
    expect(told({ many: 'geo.review', flatten: 'at' })).toEqual([])
    expect(told({ many: 'geo.review', fields: ['at'], flatten: 'at' })).toEqual([])
    const again: Relation = { one: 'geo.city', fields: ['id', 'name', 'country_id'], flatten: 'id' }
    expect(told({ many: 'geo.review', relations: { again } })).toEqual([
      'documents.city.relations.r.relations.again.fields: "flatten" takes id alone, name, country_id is not used',
    ])
  })

  it('what is odd about the table in between', () => {
    const relation: Relation = { many: 'geo.tag', through: { table: 'geo.city_tag' } }
    expect(plan({ relation, tables: [{ ...cityTag, unlogged: true }] }).warnings).toContainEqual(
      expect.stringContaining('geo.city_tag is unlogged'),
    )
  })

  it('row-level security and unlogged tables, once each', () => {
    const guarded = { ...review, rowSecurity: true }
    const relation: Relation = {
      many: 'geo.review',
      relations: { again: { one: 'geo.city', relations: { r: { many: 'geo.review' } } } },
    }
    expect(plan({ relation, tables: [guarded] }).warnings).toEqual([
      expect.stringContaining('geo.review has row-level security'),
    ])
  })

  it.each<[string, World, string[]]>([
    ['none where all is there', { relation: { many: 'geo.review' } }, []],
    [
      'theirs, for many',
      { relation: { many: 'geo.review' }, tables: [{ ...review, indexes: [] }] },
      ['each load of city documents: CREATE INDEX CONCURRENTLY ON geo.review (city_id)'],
    ],
    [
      'ours, for one',
      { relation: { one: 'geo.country' }, tables: [{ ...city, indexes: [index('id', 'country_id')] }] },
      ['each change of geo.country: CREATE INDEX CONCURRENTLY ON geo.city (country_id)'],
    ],
    [
      'of the table in between, from both sides',
      {
        relation: { many: 'geo.tag', through: { table: 'geo.city_tag' } },
        tables: [{ ...cityTag, indexes: [] }],
      },
      [
        'each load of city documents: CREATE INDEX CONCURRENTLY ON geo.city_tag (city_id)',
        'each change of geo.tag: CREATE INDEX CONCURRENTLY ON geo.city_tag (tag_id)',
      ],
    ],
    [
      'several columns in any order, and more behind them',
      {
        relation: { many: 'geo.review', on: { id: 'city_id', country_id: 'id' } },
        tables: [
          { ...review, indexes: [index('id', 'city_id', 'at')] },
          { ...city, indexes: [index('country_id', 'id')] },
        ],
      },
      [],
    ],
    [
      'one of a unique index, for it leaves one row',
      { relation: { one: 'geo.country', on: { country_id: 'id', name: 'name' } } },
      ['each change of geo.country: CREATE INDEX CONCURRENTLY ON geo.city (country_id, name)'],
    ],
    [
      'on a partitioned table, which takes none CONCURRENTLY',
      {
        relation: { many: 'geo.review' },
        tables: [{ ...review, kind: 'p', indexes: [] }],
      },
      ['each load of city documents: CREATE INDEX ON geo.review (city_id)'],
    ],
    [
      'none on a partitioned table whose partitions each have one',
      {
        relation: { many: 'geo.review' },
        tables: [
          { ...review, kind: 'p', indexes: [], leaves: [{ schema: 'geo', name: 'review_1' }] },
          { ...review, name: 'review_1' },
        ],
      },
      [],
    ],
    [
      'on a partitioned table, one of whose partitions has none',
      {
        relation: { many: 'geo.review' },
        tables: [
          {
            ...review,
            kind: 'p',
            indexes: [],
            leaves: ['review_1', 'review_2'].map((name) => ({ schema: 'geo', name })),
          },
          { ...review, name: 'review_1' },
          { ...review, name: 'review_2', indexes: [] },
        ],
      },
      ['each load of city documents: CREATE INDEX ON geo.review (city_id)'],
    ],
    [
      'theirs, where a unique index has it behind another column',
      {
        relation: { many: 'geo.review' },
        tables: [{ ...review, indexes: [{ columns: ['id', 'city_id'], unique: true }] }],
      },
      ['each load of city documents: CREATE INDEX CONCURRENTLY ON geo.review (city_id)'],
    ],
  ])('missing indexes: %s', (_, world, expected) => {
    expect(plan(world).missingIndexes.map(({ why, sql }) => `${why}: ${sql}`)).toEqual(expected)
  })
})

test('a missing index is told with the relation that needs it, its table, and the statement that makes it', () => {
  const { warnings, missingIndexes } = plan({
    relation: { many: 'geo.review', on: { id: 'city_id', name: 'at' } },
    tables: [
      { ...review, indexes: [], columns: [column('city_id'), column('at', 'text')] },
      { ...city, indexes: [index('id', 'name')] },
    ],
  })
  expect(warnings).toEqual([
    'documents.city.relations.r: no index on geo.review (city_id, at): each load of city documents reads the whole table. CREATE INDEX CONCURRENTLY ON geo.review (city_id, at)',
  ])
  expect(missingIndexes).toMatchObject([
    { table: { schema: 'geo', name: 'review' }, columns: ['city_id', 'at'] },
  ])
})
